# Runs in a VM: a switch with three guests on veths with default offloads. They send TCP inside each kind of tunnel, and
# SCTP: guest a by its own port to b, and by a subport to c.
# shellcheck shell=dash
load_more_modules

port() { # ID NETWORK BINDING
    echo "{\"table\":\"lport\",\"record\":{\"id\":\"$(id "$1")\",\"topic\":\"t\",\"unique_key\":$1,\"lswitch\":\"$2\",\"macs\":[\"02:00:00:00:00:$1\"],$3\"version\":1}}"
}
HERE='"binding":{"type":"chassis","chassis":"c1"},'
{
    echo '{"table":"lswitch","record":{"id":"m","topic":"t","unique_key":1,"version":1}}'
    echo '{"table":"lswitch","record":{"id":"n","topic":"t","unique_key":2,"version":1}}'
    port 11 m "$HERE"
    port 12 m "$HERE"
    port 13 n "$HERE"
    port 14 n ''
    echo "{\"table\":\"child_port_segmentation\",\"record\":{\"topic\":\"t\",\"parent\":\"$(id 11)\",\"port\":\"$(id 14)\",\"segmentation_type\":\"vlan\",\"segmentation_id\":100}}"
} >/tmp/records
apply_records

plug() { # GUEST KEY
    ip netns add "$1"
    ip link add "v$1" type veth peer name eth0 netns "$1" address "02:00:00:00:00:$2"
    ip link set "v$1" alias "$(id "$2")" up
    ip -n "$1" link set eth0 up
    ip -n "$1" link set lo up
}
plug a 11 && plug b 12 && plug c 13 || exit 1
ip -n a link add link eth0 name eth0.100 address 02:00:00:00:00:14 type vlan id 100
ip -n a link set eth0.100 up
ip -n a address add 10.1.0.1/24 dev eth0
ip -n b address add 10.1.0.2/24 dev eth0
ip -n a address add 10.2.0.1/24 dev eth0.100
ip -n c address add 10.2.0.2/24 dev eth0

start_switch --port '*:no_socket=pass'
until [ "$(ip link | grep -c prog/xdp)" = 3 ]; do
    kill -0 "$SWITCH" 2>/dev/null || fail "no switch"
    sleep 0.1
done

# In both directions by a tunnel link that `create NAMESPACE LOCAL REMOTE` creates in each guest.
tunnel() { # KIND LINK PEER NETWORK
    kind=$1 link=$2 peer=$3 network=$4
    create "$kind" a "10.$network.0.1" "10.$network.0.2" "$link" || fail "$kind in a"
    create "$kind" "$peer" "10.$network.0.2" "10.$network.0.1" eth0 || fail "$kind in $peer"
    if [ "$kind" = sit ]; then
        near=fd00::1 far=fd00::2
        ip -n a address add $near/64 dev tunnel nodad
        ip -n "$peer" address add $far/64 dev tunnel nodad
    else
        near=172.16.0.1 far=172.16.0.2
        ip -n a address add $near/24 dev tunnel
        ip -n "$peer" address add $far/24 dev tunnel
    fi
    transfer "$kind" TCP a "$peer" $far
    transfer "$kind" TCP "$peer" a $near
    ip -n a link del tunnel
    ip -n "$peer" link del tunnel
}

create() { # KIND NAMESPACE LOCAL REMOTE LINK
    case $1 in
    vxlan) set -- "$2" type vxlan id 7 dstport 4789 local "$3" remote "$4" noudpcsum ;;
    vxlan-csum) set -- "$2" type vxlan id 7 dstport 8472 local "$3" remote "$4" udpcsum ;;
    geneve) set -- "$2" type geneve id 7 remote "$4" noudpcsum ;;
    geneve-csum) set -- "$2" type geneve id 7 remote "$4" udpcsum ;;
    gre) set -- "$2" type gre local "$3" remote "$4" ;;
    gre-csum) set -- "$2" type gre local "$3" remote "$4" csum ;;
    gretap) set -- "$2" type gretap local "$3" remote "$4" ;;
    ipip) set -- "$2" type ipip local "$3" remote "$4" ;;
    sit) set -- "$2" type sit local "$3" remote "$4" ;;
    esac
    namespace=$1
    shift
    ip -n "$namespace" link add name tunnel mtu 1400 "$@" && ip -n "$namespace" link set tunnel up
}

# Labels on routes between two addresses of the loopbacks.
mpls() { # LINK PEER NETWORK
    echo 1000 >/proc/sys/net/mpls/platform_labels
    for namespace in a "$2"; do
        # shellcheck disable=SC2016  # for the inner shell
        ip netns exec "$namespace" sh -c 'echo 1000 >/proc/sys/net/mpls/platform_labels; for conf in /proc/sys/net/mpls/conf/*; do echo 1 >$conf/input; done'
    done
    ip -n a address add 172.17.0.1/32 dev lo
    ip -n "$2" address add 172.17.0.2/32 dev lo
    ip -n a route add 172.17.0.2/32 encap mpls 100 via "10.$3.0.2" dev "$1" src 172.17.0.1 mtu 1400
    ip -n "$2" route add 172.17.0.1/32 encap mpls 200 via "10.$3.0.1" dev eth0 src 172.17.0.2 mtu 1400
    ip -n "$2" -f mpls route add 100 dev lo
    ip -n a -f mpls route add 200 dev lo
    transfer mpls TCP a "$2" 172.17.0.2
    transfer mpls TCP "$2" a 172.17.0.1
}

# Each kind by the port; some kinds by the subport, whose tag is stripped before the tunnel is parsed.
for kind in vxlan vxlan-csum geneve geneve-csum gre gre-csum gretap ipip sit; do
    tunnel $kind eth0 b 1
done
mpls eth0 b 1
for kind in vxlan geneve-csum gre-csum sit; do
    tunnel $kind eth0.100 c 2
done
for way in "b 1" "c 2"; do
    transfer plain SCTP a "${way% *}" "10.${way#* }.0.2"
    transfer plain SCTP "${way% *}" a "10.${way#* }.0.1"
done
end_switch -TERM
assert_kernel_works
