# What the scripts of this folder share. Sourced, never run:
#
#   . "$(dirname "$0")/lib.sh"
#
# Gives `root` (the checkout), `cache` (everything that is fetched or built for tests and does not
# belong into git), and the functions below. Needs Debian 12 or a machine that has the packages.
# shellcheck shell=bash
set -euo pipefail

# --help: what the script says of itself in its first lines.
case ${1-} in
-h | --help)
    sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$0"
    exit
    ;;
esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/picolm
mkdir -p "$cache"

# fail MESSAGE: one line on stderr, exit 1.
fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# need_packages PACKAGE...: Debian packages, installed where they are missing.
need_packages() {
    local package missing=() as_root=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || fail "please install (names as in Debian 12): ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "please install as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    {
        # Another script may be at it: apt does not wait.
        flock 9
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -qq -y --no-install-recommends "${missing[@]}"
    } >"$cache/apt.log" 2>&1 </dev/null 9>"$cache/apt.lock" || {
        tail -n 5 "$cache/apt.log" >&2
        fail "apt-get could not install ${missing[*]} (log: $cache/apt.log)"
    }
}

# need_command COMMAND PACKAGE: a command, by its Debian package where it is missing.
need_command() {
    command -v "$1" >/dev/null || need_packages "$2"
}

# need_rust: the stable toolchain, which these scripts do not install.
need_rust() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.89 or later by rustup"
    need_command cc gcc
    command -v ld >/dev/null || need_packages binutils
    [ -e /usr/include/stdio.h ] || need_packages libc6-dev
}

# remapped_paths: the compiler's flags that leave this machine's folders out of a program; spaces
# part flags, so that a folder with one in its name stays in (ci/release refuses the program).
remapped_paths() {
    local folder
    for folder in "$root=picolm" "${CARGO_HOME:-$HOME/.cargo}=cargo"; do
        [[ $folder = *[[:space:]]* ]] || echo "--remap-path-prefix=$folder"
    done | paste -sd ' '
}

# python ARGUMENT...: Python in the project's virtual environment (see environment.py).
python() {
    need_command python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || need_packages python3-venv
    python3 "$root/ci/environment.py" "$@"
}
