# Runs in a VM: removes links and namespaces under a running, a killed and a pinned switch, ROUNDS times each, twenty at
# a time.
# shellcheck shell=dash
set -u
ROUNDS=$1
GUESTS=$(seq 10 29)
IP=/usr/bin/ip
id() { echo "c0a800$1-1111-4aaa-8bbb-000000000001"; }

mkdir -p /run/netns /tmp/pins
mount -t bpf bpf /tmp/pins
{
    echo '{"table":"lswitch","record":{"id":"n","topic":"t","unique_key":1,"version":1}}'
    for guest in $GUESTS; do
        echo "{\"table\":\"lport\",\"record\":{\"id\":\"$(id "$guest")\",\"topic\":\"t\",\"unique_key\":$guest,\"lswitch\":\"n\",\"macs\":[\"02:00:00:00:00:$guest\"],\"binding\":{\"type\":\"chassis\",\"chassis\":\"c1\"},\"version\":1}}"
    done
} >/tmp/records
trunkpath nb --nb sqlite:/tmp/nb.db apply /tmp/records || exit 1

programs() { $IP link | grep -c prog/xdp; }

# One process per command for all guests: starting a process is slow in an emulated machine.
plug() {
    for guest in $GUESTS; do
        echo "netns add g$guest"
        echo "link add v$guest type veth peer name eth0 netns g$guest"
        echo "link set v$guest alias $(id "$guest") up"
    done | $IP -batch -
}

# Removes the namespaces of the even guests and the links of the odd ones.
unplug() {
    for guest in $GUESTS; do
        if [ $((guest % 2)) = 0 ]; then echo "netns del g$guest"; else echo "link del v$guest"; fi
    done | $IP -batch - || exit 1
    removed=$((removed + 20))
    # The kernel removes namespaces in the background: waits until all of their links are removed.
    while $IP link | grep -q ' v[0-9]*@'; do sleep 0.1; done
    for guest in $GUESTS; do [ $((guest % 2)) = 0 ] || echo "netns del g$guest"; done | $IP -batch -
}

# Waits until each link has its program.
start() {
    trunkpath run --nb sqlite:/tmp/nb.db --chassis c1 --api /tmp/api.sock --state /tmp/state --umem-mib 16 \
        --pin-folder /tmp/pins/tp "$@" >>/tmp/log 2>&1 &
    switch=$!
    while [ "$(programs)" != 20 ]; do
        kill -0 "$switch" 2>/dev/null || { cat /tmp/log; exit 1; }
        sleep 0.1
    done
}

end() {
    kill "$1" "$switch"
    wait "$switch"
}

removed=0
round=0
while [ $round -lt "$ROUNDS" ]; do
    # Running.
    plug && start && unplug && end -TERM
    # Killed: the kernel detaches its programs some time later.
    plug && start --port '*:no_socket=pass' && end -KILL
    unplug
    # Killed, and its programs pinned.
    plug && start && end -KILL
    unplug && rm -rf /tmp/pins/tp/*
    round=$((round + 1))
    echo "removed $removed"
done

# The RTNL lock is free.
$IP link add alive type veth peer name alive-peer && $IP link del alive || exit 1
dmesg | grep -E 'BUG:|Oops|WARNING:|page fault|self-detected stall|blocked for more than' && exit 1
exit 0
