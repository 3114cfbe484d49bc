# The boards of targets/, and the smallest program: sourced after cross.sh.
# shellcheck shell=bash disable=SC2154

# boards: the names of all boards, a line each.
boards() {
    local settings
    for settings in "$root"/targets/*/board.toml; do
        basename "$(dirname "$settings")"
    done
}

# board_setting BOARD KEY: what the board's file says of it, without quotes; `key = value` a line.
board_setting() {
    local value
    value=$(sed -n "s/^$2 = \"\{0,1\}\([^\"#]*[^\"# ]\)\"\{0,1\}.*/\1/p" \
        "$root/targets/$1/board.toml")
    [ -n "$value" ] || fail "targets/$1/board.toml has no $2"
    echo "$value"
}

# build_small STD TARGET ARGUMENT...: `small` has the standard library compiled for size, and every
# panic end the program on the spot, without a message; `usual` has it as it comes.
build_small() {
    local target=$2 rust_flags=${rust_flags:-}
    case $target in
        # Functions share what saves and restores registers; an address is one instruction.
        aarch64-*)
            rust_flags+=' -Cllvm-args=-homogeneous-prolog-epilog -Ccode-model=tiny'
            ;;
        # Loops over weights that are not unrolled lose half their speed, for 1 % of the bytes.
        x86_64-*) set -- "$@" --config 'profile.tiny.package.picolm-core.opt-level="s"' ;;
    esac
    if [ "$1" = small ]; then
        local std_features=optimize_for_size
        rust_flags+=' -Zunstable-options -Cpanic=immediate-abort -Cforce-unwind-tables=no'
        rust_flags+=' -Zlocation-detail=none -Zfmt-debug=none'
    fi
    shift 2
    cross "$target" build --quiet --features small "$@"
}

# build_board BOARD: the program as the board's file says: `profile` is release, with everything, or
# tiny, the smallest.
build_board() {
    local target profile rust_flags
    target=$(board_setting "$1" target) profile=$(board_setting "$1" profile)
    rust_flags="-Ctarget-cpu=$(board_setting "$1" rust_cpu)"
    case $profile in
        tiny) build_small small "$target" --profile tiny --package picolm --no-default-features ;;
        *) cross "$target" build --quiet --profile "$profile" --package picolm ;;
    esac
}
