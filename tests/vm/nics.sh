# Runs in a VM with a pair of NICs: MODE MTU. MODE is copy, zero-copy or refused.
# shellcheck shell=dash
PROGRAM=/usr/bin/inside-vm
export MODE=$1 MTU=$2
driver=$(basename "$(readlink "/sys/class/net/$NIC/device/driver")")
echo "driver $driver"

run() { "$PROGRAM" --ignored --exact --nocapture "vm::inside::$1"; }

# Starts a process that uses the NIC, and waits until it does.
hold() {
    "$PROGRAM" --ignored --exact --nocapture vm::inside::holds_a_nic >/tmp/log 2>&1 &
    holder=$!
    until grep -q HELD /tmp/log; do
        kill -0 $holder 2>/dev/null || { cat /tmp/log; exit 1; }
        sleep 0.2
    done
}

end() {
    kill -KILL $holder 2>/dev/null
    wait $holder
}

rxvlan() { ethtool -k "$NIC" | sed -n 's/^rx-vlan-offload: //p'; }

if [ "$MODE" = refused ]; then
    ip link set "$NIC" up
    run is_refused_in_words || exit 1
    exit 0
fi

before=$(rxvlan)
run exchanges_frames_with_its_peer || { ip -s link; ethtool -k "$NIC" | grep vlan; dmesg | tail -20; exit 1; }
[ "$before" = on ] && [ "$(rxvlan)" = on ] && echo "rxvlan off, and on again"

# A process that is killed leaves the NIC to the next one. The namespace of the first one gives its link back when it
# is deleted.
hold
end
until PEER=$(link 0b) && [ "$PEER" ]; do sleep 0.2; done
export PEER
run exchanges_frames_with_its_peer || { dmesg | tail -20; exit 1; }

# The NIC is removed under the program and the sockets.
hold
echo 1 >"/sys/class/net/$NIC/device/$([ "$driver" = virtio_net ] && echo ../)remove" || exit 1
tries=0
while [ -e "/sys/class/net/$NIC" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "the link stays"; exit 1; }
    sleep 0.1
done
grep -q UNBOUND /tmp/log || sleep 2
cat /tmp/log
end
assert_kernel_works
