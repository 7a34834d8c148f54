# shellcheck shell=bash
# devstack sources this in each phase: plugin.sh stack install|post-config|extra, unstack, clean.

# Variables of devstack: DEST, HOST_NAME, STACK_USER, SYSTEMCTL, SYSTEMD_DIR, Q_PLUGIN_CONF_FILE, Q_DHCP_CONF_FILE,
# Q_L3_CONF_FILE.
# shellcheck disable=SC2154
TRUNKPATH_DIR=${TRUNKPATH_DIR:-$DEST/trunkpath}
TRUNKPATH_BIN=/usr/local/bin/trunkpath
TRUNKPATH_CONF=/etc/trunkpath/trunkpath.toml
TRUNKPATH_UNIT=devstack@trunkpath.service

# Prints TRUNKPATH_UPLINKS, "physnet1=eth1,physnet2=eth2", as members of a TOML table.
function toml_of_uplinks {
    local -a uplinks
    local uplink members=
    IFS=', ' read -ra uplinks <<<"$TRUNKPATH_UPLINKS"
    for uplink in "${uplinks[@]}"; do
        members+="${members:+, }\"${uplink%%=*}\" = \"${uplink#*=}\""
    done
    echo "$members"
}

# Builds the datapath, which requires a Rust toolchain, and installs the Neutron drivers.
function install_trunkpath {
    if is_service_enabled trunkpath; then
        (cd "$TRUNKPATH_DIR" && scripts/setup build && cargo build --release --locked)
        sudo install -m 755 "$TRUNKPATH_DIR/target/release/trunkpath" "$TRUNKPATH_BIN"
    fi
    if is_service_enabled q-svc neutron-api q-dhcp neutron-dhcp q-l3 neutron-l3; then
        pip_install -e "$TRUNKPATH_DIR/neutron"
    fi
    # In this phase, before devstack writes service_plugins to neutron.conf.
    if is_service_enabled q-svc neutron-api && is_service_enabled q-trunk; then
        neutron_service_plugin_class_add trunk
    fi
}

function configure_trunkpath {
    if is_service_enabled q-svc neutron-api; then
        iniset "/$Q_PLUGIN_CONF_FILE" trunkpath nb "$TRUNKPATH_NB"
    fi
    # The DHCP and L3 agents plug their ports into the switch of their host.
    if is_service_enabled q-dhcp neutron-dhcp; then
        iniset "$Q_DHCP_CONF_FILE" DEFAULT interface_driver trunkpath
    fi
    if is_service_enabled q-l3 neutron-l3; then
        iniset "$Q_L3_CONF_FILE" DEFAULT interface_driver trunkpath
    fi
    if is_service_enabled trunkpath; then
        sudo install -d -o "$STACK_USER" "$(dirname "$TRUNKPATH_CONF")" /var/lib/trunkpath /run/trunkpath
        {
            printf 'nb = "%s"\n' "$TRUNKPATH_NB"
            # The name in binding:host_id of ports.
            printf 'chassis = "%s"\n' "$HOST_NAME"
            printf 'local_ip = "%s"\n' "$TRUNKPATH_LOCAL_IP"
            printf 'uplinks = { %s }\n' "$(toml_of_uplinks)"
            printf '%s' "${TRUNKPATH_RUN_OPTIONS:+$TRUNKPATH_RUN_OPTIONS$'\n'}"
        } | sudo tee "$TRUNKPATH_CONF" >/dev/null
        # The URL may contain a password.
        sudo chown "$STACK_USER" "$TRUNKPATH_CONF"
        sudo chmod 600 "$TRUNKPATH_CONF"
    fi
}

function start_trunkpath {
    is_service_enabled trunkpath || return 0
    local unit=$SYSTEMD_DIR/$TRUNKPATH_UNIT
    write_user_unit_file "$TRUNKPATH_UNIT" "$TRUNKPATH_BIN run --config $TRUNKPATH_CONF" "" "$STACK_USER"
    iniset -sudo "$unit" Service AmbientCapabilities "CAP_NET_ADMIN CAP_NET_RAW CAP_BPF CAP_IPC_LOCK"
    # Folder of its API socket, created at each start because /run is empty after a reboot.
    iniset -sudo "$unit" Service RuntimeDirectory trunkpath
    iniset -sudo "$unit" Service Restart always
    $SYSTEMCTL daemon-reload
    $SYSTEMCTL enable "$TRUNKPATH_UNIT"
    $SYSTEMCTL restart "$TRUNKPATH_UNIT"
}

function stop_trunkpath {
    is_service_enabled trunkpath || return 0
    $SYSTEMCTL stop "$TRUNKPATH_UNIT"
}

function cleanup_trunkpath {
    sudo rm -rf "$SYSTEMD_DIR/$TRUNKPATH_UNIT" "$TRUNKPATH_CONF" "$TRUNKPATH_BIN" /var/lib/trunkpath
}

case "$1 ${2:-}" in
"stack install") install_trunkpath ;;
"stack post-config") configure_trunkpath ;;
"stack extra") start_trunkpath ;;
"unstack "*) stop_trunkpath ;;
"clean "*) cleanup_trunkpath ;;
esac
