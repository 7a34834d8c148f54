# shellcheck shell=bash
# What the scripts share. Source it from the root of the clone.

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# For root it is true, and for others where there is sudo.
can_be_root() { ((EUID == 0)) || command -v sudo >/dev/null; }

# as_root COMMAND...: as it is for root, by sudo for others.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Where cargo puts what it builds.
target_dir() { printf '%s' "${CARGO_TARGET_DIR:-target}"; }
