# Twenty veths, each with a namespace at its other end, for scripts that remove both under programs.
# shellcheck shell=dash
LINKS=$(seq 10 29)
REMOVED=0

programs() { ip link | grep -c prog/xdp; }

# Each link has the id of a port as alias. One process per command for all links: starting a process is slow
# in an emulated machine.
plug() {
    for number in $LINKS; do
        echo "netns add g$number"
        echo "link add v$number type veth peer name eth0 netns g$number"
        echo "link set v$number alias $(id "$number") up"
    done | ip -batch -
}

# Removes the namespaces of the even links and the odd links themselves.
unplug() {
    for number in $LINKS; do
        if [ $((number % 2)) = 0 ]; then echo "netns del g$number"; else echo "link del v$number"; fi
    done | ip -batch - || exit 1
    REMOVED=$((REMOVED + 20))
    # The kernel removes namespaces in the background: waits until all of their links are removed.
    while ip link | grep -q ' v[0-9]*@'; do sleep 0.1; done
    for number in $LINKS; do [ $((number % 2)) = 0 ] || echo "netns del g$number"; done | ip -batch -
}
