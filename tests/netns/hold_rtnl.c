// Holds the kernel's RTNL lock: hold_rtnl LINK SECONDS, in the network namespace of LINK, a veth.
//
// ethtool copies its answer out under the lock. Here the copy faults on a page that this process provides (userfaultfd)
// only after SECONDS, or when standard input ends. "held" is printed once the lock is held. A kill releases it as well.

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct ifreq request;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *ask(void *unused) {
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (sock < 0 || ioctl(sock, SIOCETHTOOL, &request) < 0)
        fail("SIOCETHTOOL");
    return unused;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    long page = sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int faults = syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register range = {.range = {(unsigned long)memory + page, page},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (memory == MAP_FAILED || faults < 0 || ioctl(faults, UFFDIO_API, &api) < 0 ||
        ioctl(faults, UFFDIO_REGISTER, &range) < 0)
        fail("userfaultfd");

    // The question is in the first page, and most of the answer goes into the second.
    struct ethtool_channels *channels = (void *)(memory + page - sizeof(channels->cmd));
    channels->cmd = ETHTOOL_GCHANNELS;
    strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
    request.ifr_data = (void *)channels;
    pthread_t asking;
    if (pthread_create(&asking, NULL, ask, NULL) != 0)
        fail("pthread_create");

    struct uffd_msg fault;
    if (read(faults, &fault, sizeof(fault)) != sizeof(fault))
        fail("read");
    printf("held\n");
    fflush(stdout);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    poll(&input, 1, atoi(argv[2]) * 1000);

    struct uffdio_zeropage zero = {.range = range.range};
    if (ioctl(faults, UFFDIO_ZEROPAGE, &zero) < 0)
        fail("UFFDIO_ZEROPAGE");
    pthread_join(asking, NULL);
    return 0;
}
