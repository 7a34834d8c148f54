# A pair of NICs on one cable, see `Vm::boot_with_nics`: NIC is for the switch, PEER is the other end.
# shellcheck shell=dash

# The link whose MAC address ends in $1.
link() {
    for link in /sys/class/net/*; do
        case $(cat "$link/address") in 52:54:00:00:01:"$1") echo "${link##*/}" ;; esac
    done
}
NIC=$(link 0a)
PEER=$(link 0b)
export NIC PEER
if [ -z "$NIC" ] || [ -z "$PEER" ]; then
    ip link
    exit 1
fi
