// A disk that takes its time: loaded before libc (LD_PRELOAD), it delays every fsync by 50 ms and then succeeds.
// The data reaches the page cache at once, as on a file system whose fsync waits for the disk.
#include <time.h>

static int wait_for_disk(void) {
    struct timespec delay = {.tv_sec = 0, .tv_nsec = 50 * 1000 * 1000};
    nanosleep(&delay, 0);
    return 0;
}

int fsync(int fd) { (void)fd; return wait_for_disk(); }
int fdatasync(int fd) { (void)fd; return wait_for_disk(); }
