# Runs in a VM: removes uplinks and namespaces under the program of a running and of a killed process, ROUNDS times each,
# twenty at a time.
# shellcheck shell=dash
set -u
ROUNDS=$1
PROGRAM=/usr/bin/inside-vm
IP=/usr/bin/ip
UPLINKS=$(seq 10 29)
mkdir -p /run/netns

programs() { $IP link | grep -c prog/xdp; }

plug() {
    for uplink in $UPLINKS; do
        echo "netns add g$uplink"
        echo "link add v$uplink type veth peer name eth0 netns g$uplink"
        echo "link set v$uplink up"
    done | $IP -batch -
}

# Removes the namespaces of the even uplinks and the links of the odd ones.
unplug() {
    for uplink in $UPLINKS; do
        if [ $((uplink % 2)) = 0 ]; then echo "netns del g$uplink"; else echo "link del v$uplink"; fi
    done | $IP -batch - || exit 1
    removed=$((removed + 20))
    # The kernel removes namespaces in the background: waits until all of their links are removed.
    while $IP link | grep -q ' v[0-9]*@'; do sleep 0.1; done
    for uplink in $UPLINKS; do [ $((uplink % 2)) = 0 ] || echo "netns del g$uplink"; done | $IP -batch -
}

hold() {
    UPLINKS=$(for uplink in $UPLINKS; do echo "v$uplink"; done) \
        "$PROGRAM" --ignored --exact --nocapture vm::inside::holds_uplinks >/tmp/log 2>&1 &
    holder=$!
    while ! grep -q 'HELD 20' /tmp/log; do
        kill -0 "$holder" 2>/dev/null || { cat /tmp/log; exit 1; }
        sleep 0.1
    done
    [ "$(programs)" = 20 ] || { $IP link; exit 1; }
}

end() {
    kill -KILL "$holder"
    wait "$holder"
}

removed=0
round=0
while [ $round -lt "$ROUNDS" ]; do
    # Running.
    plug && hold && unplug && end
    # Killed: the kernel detaches the programs some time later.
    plug && hold && end
    unplug
    round=$((round + 1))
    echo "removed $removed"
done

# The RTNL lock is free.
$IP link add alive type veth peer name alive-peer && $IP link del alive || exit 1
dmesg | grep -E 'BUG:|Oops|WARNING:|page fault|self-detected stall|blocked for more than' && exit 1
exit 0
