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

# build_tiny TARGET: the smallest program, with Rust's core library compiled for size; every panic
# ends it on the spot, without a message. `rust_flags` are added to the compiler's.
build_tiny() {
    local flags='-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none' argument
    local options=() name thumb='["-Ctarget-feature=+thumb-mode"]'
    flags+=" -Zfmt-debug=none ${rust_flags:-}"
    for argument in --icf=all --build-id=none -znorelro -znoseparate-code; do
        flags+=" -Clink-arg=$argument"
    done
    case $1 in
        # Functions share what saves and restores registers; an address is one instruction.
        aarch64-*) flags+=' -Cllvm-args=-homogeneous-prolog-epilog -Ccode-model=tiny' ;;
        # Thumb's instructions are a quarter shorter. Kernels keep Arm's, and so does what has
        # assembly of that kind. rustix looks for Thumb in flags of all crates, so it is told.
        armv7-*)
            flags+=' --cfg thumb_mode'
            options=(-Zprofile-rustflags)
            for name in '"*"' picolm-tiny-front; do
                options+=(--config "profile.release.package.$name.rustflags=$thumb")
            done
            for name in origin picolm-linux; do
                options+=(--config "profile.release.package.$name.rustflags=[]")
            done
            ;;
        # The linker shortens calls and addresses.
        riscv64*) flags+=' -Ctarget-feature=+relax' ;;
    esac
    # The linker that this version of rust-web-llvm goes with.
    need_packages rust-web-llvm
    need_packages "$(basename "$(readlink /usr/bin/rust-lld)")"
    (
        cd "$root/targets/tiny" || exit
        # `cross` sets it for its own programs.
        unset "$(cross_variable "$1" RUSTFLAGS)"
        # Beside the flags of the crate's own configuration.
        build_folder=$tiny_folder cargo_from_source build --quiet --locked --release \
            --target "$1" -Zbuild-std=core "${options[@]}" \
            -Zbuild-std-features=optimize_for_size,compiler-builtins-mem \
            --config 'profile.release.package."*".opt-level="z"' \
            --config 'profile.release.package.picolm-tiny-front.opt-level="z"' \
            --config "target.$1.rustflags='$(configured_flags) $flags'" </dev/null
    )
}

# configured_flags: those of targets/tiny/.cargo/config.toml, which a target's own replace.
configured_flags() {
    sed -n 's/^    "\(-C.*\)",$/\1/p' "$root/targets/tiny/.cargo/config.toml" | tr '\n' ' '
}

# tiny_program TARGET: where `build_tiny TARGET` puts it.
tiny_folder=$cache/tiny-small
tiny_program() { echo "$tiny_folder/$1/release/picolm"; }

# build_board BOARD: the program that the board's file names: `cli`, the command line, or `tiny`,
# the smallest. `board_program BOARD` is where it is then.
build_board() {
    local target rust_flags
    target=$(board_setting "$1" target)
    rust_flags="-Ctarget-cpu=$(board_setting "$1" rust_cpu)"
    case $(board_setting "$1" program) in
        cli) cross "$target" build --quiet --release --package picolm ;;
        tiny) build_tiny "$target" ;;
    esac
}

board_program() {
    local target
    target=$(board_setting "$1" target)
    case $(board_setting "$1" program) in
        cli) program "$target" release ;;
        tiny) tiny_program "$target" ;;
    esac
}
