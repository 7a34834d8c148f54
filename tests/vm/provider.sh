# Runs in a VM with a pair of NICs: a switch with a guest on a provider network of VLAN 100, by the first NIC, which the
# host uses as well; the second NIC is in a namespace with a VLAN link. The argument is the mode of the sockets to expect.
# shellcheck shell=dash
MODE=$1

{
    echo '{"table":"lswitch","record":{"id":"n","topic":"t","unique_key":1,"network_type":"vlan","physical_network":"physnet1","segmentation_id":100,"version":1}}'
    echo "{\"table\":\"lport\",\"record\":{\"id\":\"$(id 10)\",\"topic\":\"t\",\"unique_key\":10,\"lswitch\":\"n\",\"macs\":[\"02:00:00:00:00:10\"],\"binding\":{\"type\":\"chassis\",\"chassis\":\"c1\"},\"version\":1}}"
} >/tmp/records
apply_records

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
ip link set g alias "$(id 10)" up
ip -n guest link set eth0 up
ip -n guest address add 10.1.0.1/24 dev eth0

start() {
    start_switch --uplink "physnet1=$NIC" --port '*:no_socket=pass'
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

transfer vlan TCP guest far 10.1.0.2
transfer vlan TCP far guest 10.1.0.1
host_reaches "after transfers"

end_switch -KILL
host_reaches "without the switch"
start
reaches guest 10.1.0.2
end_switch -TERM
host_reaches "after the switch"
ip -details link show "$NIC" | grep -q prog/xdp && fail "the program stays"
assert_kernel_works
