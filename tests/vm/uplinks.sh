# Runs in a VM: removes uplinks and namespaces under the program of a running and of a killed process, ROUNDS times
# each, twenty at a time.
# shellcheck shell=dash
ROUNDS=$1
PROGRAM=/usr/bin/inside-vm

hold() {
    UPLINKS=$(for number in $LINKS; do echo "v$number"; done) \
        "$PROGRAM" --ignored --exact --nocapture vm::inside::holds_uplinks >/tmp/log 2>&1 &
    holder=$!
    while ! grep -q 'HELD 20' /tmp/log; do
        kill -0 "$holder" 2>/dev/null || { cat /tmp/log; exit 1; }
        sleep 0.1
    done
    [ "$(programs)" = 20 ] || { ip link; exit 1; }
}

end() {
    kill -KILL "$holder"
    wait "$holder"
}

for _ in $(seq "$ROUNDS"); do
    # Running.
    plug && hold && unplug && end
    # Killed: the kernel detaches the programs some time later.
    plug && hold && end
    unplug
    echo "removed $REMOVED"
done
assert_kernel_works
