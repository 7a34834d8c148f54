# Runs in a VM: removes links and namespaces under a running, a killed and a pinned switch, ROUNDS times each, twenty at
# a time.
# shellcheck shell=dash
ROUNDS=$1

mkdir -p /tmp/pins
mount -t bpf bpf /tmp/pins
{
    echo '{"table":"lswitch","record":{"id":"n","topic":"t","unique_key":1,"version":1}}'
    for number in $LINKS; do
        echo "{\"table\":\"lport\",\"record\":{\"id\":\"$(id "$number")\",\"topic\":\"t\",\"unique_key\":$number,\"lswitch\":\"n\",\"macs\":[\"02:00:00:00:00:$number\"],\"binding\":{\"type\":\"chassis\",\"chassis\":\"c1\"},\"version\":1}}"
    done
} >/tmp/records
apply_records

# Waits until each link has its program.
start() {
    start_switch --pin-folder /tmp/pins/tp "$@"
    while [ "$(programs)" != 20 ]; do
        kill -0 "$SWITCH" 2>/dev/null || { cat /tmp/log; exit 1; }
        sleep 0.1
    done
}

for _ in $(seq "$ROUNDS"); do
    # Running.
    plug && start && unplug && end_switch -TERM
    # Killed: the kernel detaches its programs some time later.
    plug && start --port '*:no_socket=pass' && end_switch -KILL
    unplug
    # Killed, and its programs pinned.
    plug && start && end_switch -KILL
    unplug && rm -rf /tmp/pins/tp/*
    echo "removed $REMOVED"
done
assert_kernel_works
