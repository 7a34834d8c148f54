# Runs in a VM with a pair of NICs: a switch with a guest on a provider network of VLAN 100, by the first NIC, which the
# host uses as well; the second NIC is in a namespace with a VLAN link. The argument is the mode of the sockets to expect.
# shellcheck shell=dash
set -u
MODE=$1
export PATH=/usr/bin:/bin
mkdir -p /run/netns

# The shell would run the `ip` of busybox.
ip() { /usr/bin/ip "$@"; }

link() {
    for link in /sys/class/net/*; do
        case $(cat "$link/address") in 52:54:00:00:01:"$1") echo "${link##*/}" ;; esac
    done
}
NIC=$(link 0a)
PEER=$(link 0b)

fail() {
    echo "FAILED: $*"
    trunkpath show uplinks --api /tmp/api.sock
    trunkpath show problems --api /tmp/api.sock
    trunkpath stats --api /tmp/api.sock
    tail /tmp/log
    dmesg | tail
    exit 1
}

id=c0a80010-1111-4aaa-8bbb-000000000001
{
    echo '{"table":"lswitch","record":{"id":"n","topic":"t","unique_key":1,"network_type":"vlan","physical_network":"physnet1","segmentation_id":100,"version":1}}'
    echo "{\"table\":\"lport\",\"record\":{\"id\":\"$id\",\"topic\":\"t\",\"unique_key\":10,\"lswitch\":\"n\",\"macs\":[\"02:00:00:00:00:10\"],\"binding\":{\"type\":\"chassis\",\"chassis\":\"c1\"},\"version\":1}}"
} >/tmp/records
trunkpath nb --nb sqlite:/tmp/nb.db apply /tmp/records || exit 1

ip netns add far
ip link set "$PEER" netns far
ip -n far link set "$PEER" up
ip -n far address add 10.9.0.2/24 dev "$PEER"
ip -n far link add link "$PEER" name vlan100 type vlan id 100
ip -n far link set vlan100 up
ip -n far address add 10.1.0.2/24 dev vlan100
ip address add 10.9.0.1/24 dev "$NIC"
ip link set "$NIC" up
ip netns add guest
ip link add g type veth peer name eth0 netns guest address 02:00:00:00:00:10
ip link set g alias "$id" up
ip -n guest link set eth0 up
ip -n guest address add 10.1.0.1/24 dev eth0

start() {
    trunkpath run --nb sqlite:/tmp/nb.db --chassis c1 --api /tmp/api.sock --state /tmp/state --umem-mib 16 \
        --uplink "physnet1=$NIC" --port '*:no_socket=pass' >>/tmp/log 2>&1 &
    switch=$!
    tries=0
    until trunkpath show uplinks --api /tmp/api.sock 2>/dev/null | grep -q " $MODE .* open"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "no uplink in mode $MODE"
        sleep 0.2
    done
}

reaches() { # NAMESPACE ADDRESS
    tries=0
    until ip netns exec "$1" ping -c 1 -W 1 "$2" >/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 30 ] || fail "$1 does not reach $2"
    done
    ip netns exec "$1" ping -c 3 -W 5 -s 1400 "$2" | grep -q ' 3 packets received' || fail "long packets from $1 to $2"
}

host_reaches() {
    tries=0
    until ping -c 1 -W 1 10.9.0.2 >/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 30 ] || fail "the host does not reach its neighbour $1"
    done
    echo "host reaches its neighbour $1"
}

start
host_reaches "beside the switch"
reaches guest 10.1.0.2
reaches far 10.1.0.1
echo "passed ping"

# TCP in both directions.
seq 1 30000 >/tmp/data
for way in "guest far 10.1.0.2" "far guest 10.1.0.1"; do
    # shellcheck disable=SC2086  # three words
    set -- $way
    rm -f /tmp/received
    ip netns exec "$2" socat -u -T 60 TCP4-LISTEN:5000,reuseaddr CREATE:/tmp/received &
    receiver=$!
    tries=0
    until ip netns exec "$1" socat -u -T 60 OPEN:/tmp/data "TCP4:$3:5000,connect-timeout=5" 2>/tmp/said; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || { cat /tmp/said; fail "TCP from $1"; }
        sleep 0.5
    done
    wait $receiver
    cmp /tmp/data /tmp/received || fail "TCP from $1: other data"
    echo "passed TCP from $1"
done
host_reaches "after transfers"

kill -KILL $switch
wait $switch
host_reaches "without the switch"
start
reaches guest 10.1.0.2
kill $switch
wait $switch
host_reaches "after the switch"
ip -details link show "$NIC" | grep -q prog/xdp && fail "the program stays"
ip link add alive type veth peer name alive-peer && ip link del alive || exit 1
dmesg | grep -E 'BUG:|Oops|WARNING:|page fault|self-detected stall|blocked for more than' && exit 1
exit 0
