# Begins each script that `Vm::run_script` runs in a VM that is a host of the switch.
# shellcheck shell=dash
set -u
export PATH=/usr/bin:/bin
mkdir -p /run/netns

# The shell would run the `ip` of busybox.
ip() { /usr/bin/ip "$@"; }

# Loads the modules for tunnels and bridges.
load_more_modules() { for module in /more-modules/*; do insmod "$module" || exit 1; done; }

# The id of the logical port with this two-digit `unique_key`.
id() { echo "c0a800$1-1111-4aaa-8bbb-000000000001"; }

# Ends the script. Prints what the operator of a switch would read.
fail() {
    echo "FAILED: $*"
    for view in uplinks problems; do trunkpath show $view --api /tmp/api.sock; done
    trunkpath stats --api /tmp/api.sock
    tail /tmp/log
    dmesg | tail
    exit 1
}

# Writes the records in /tmp/records to the switch's DB.
apply_records() { trunkpath nb --nb sqlite:/tmp/nb.db apply /tmp/records || exit 1; }

start_switch() { # ARGUMENT...
    trunkpath run --nb sqlite:/tmp/nb.db --chassis c1 --api /tmp/api.sock --state /tmp/state \
        --umem-mib 16 "$@" >>/tmp/log 2>&1 &
    SWITCH=$!
}

end_switch() { # SIGNAL
    kill "$1" "$SWITCH"
    wait "$SWITCH"
}

# An address in the syntax of socat.
bracketed() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac }

# Sends data from one namespace to the address of another.
transfer() { # KIND PROTOCOL FROM TO ADDRESS
    family=4
    case $5 in *:*) family=6 ;; esac
    [ -e /tmp/data ] || seq 1 40000 >/tmp/data
    rm -f /tmp/received
    ip netns exec "$4" socat -u -T 60 "$2$family-LISTEN:5000,reuseaddr" CREATE:/tmp/received &
    listener=$!
    destination="$2$family:$(bracketed "$5"):5000,connect-timeout=5"
    tries=0
    until ip netns exec "$3" socat -u -T 60 OPEN:/tmp/data "$destination" 2>/tmp/said; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || {
            kill $listener
            cat /tmp/said
            fail "$1: $2 from $3 to $5"
        }
        sleep 0.5
    done
    wait $listener
    cmp /tmp/data /tmp/received || fail "$1: $2 from $3 to $5: other data"
    echo "passed $1 $2 $3 $4"
}

# Asserts that the RTNL lock is free, and that the kernel has logged no fault.
assert_kernel_works() {
    ip link add alive type veth peer name alive-peer && ip link del alive || exit 1
    if dmesg | grep -E 'BUG:|Oops|WARNING:|page fault|self-detected stall|blocked for more than'; then
        exit 1
    fi
}
