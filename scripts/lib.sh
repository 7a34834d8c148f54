# shellcheck shell=bash
# Functions for all scripts, sourced from the root of the clone.

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# True for root, and for others if sudo is installed.
can_be_root() { ((EUID == 0)) || command -v sudo >/dev/null; }

# as_root COMMAND...: runs it directly as root, else by sudo.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Cargo's output folder.
target_dir() { printf '%s' "${CARGO_TARGET_DIR:-target}"; }
