# Programs for machines that an x86-64 Linux is not: compiled with the standard library's sources
# (build-std.sh), linked by zig with its own C library (Windows: by Debian's mingw), run by QEMU's
# user emulation (Windows: by wine). Sourced after lib.sh; gives `cross TARGET ARGUMENT...`, which
# is cargo for that target, and `program TARGET PROFILE`, which is where the program is then.
#
# The emulator refuses what a CPU does not have: arm1176 stops at an ARMv7 instruction, cortex-a53
# at `sdot`. It says nothing about speed.
# shellcheck shell=bash disable=SC2154
. "$root/ci/build-std.sh"

# program TARGET PROFILE: where `cross TARGET build` puts it, in `build_folder`.
program() {
    case $1 in
        *-windows-*) echo "$build_folder/$1/$2/picolm.exe" ;;
        *) echo "$build_folder/$1/$2/picolm" ;;
    esac
}

# The targets that programs are built for.
cross_targets=(
    aarch64-unknown-linux-musl
    armv7-unknown-linux-musleabihf
    arm-unknown-linux-musleabihf
    riscv64gc-unknown-linux-musl
    x86_64-unknown-linux-musl
    x86_64-pc-windows-gnu
    aarch64-apple-darwin
    x86_64-apple-darwin
)

# need_cross: the linker, where cargo-zigbuild looks for it.
need_cross() {
    local found
    found=$(python --with ziglang,cargo-zigbuild -c '
import os, sys, ziglang
print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))
print(os.path.join(os.path.dirname(sys.executable), "cargo-zigbuild"))')
    zigbuild=${found#*$'\n'}
    export CARGO_ZIGBUILD_ZIG_PATH=${found%%$'\n'*} CARGO=/usr/bin/cargo
}

# cross_variable TARGET NAME: the environment variable that is cargo's `target.TARGET.NAME`.
cross_variable() { echo "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$1")_$2"; }

# need_emulator TARGET: what runs programs of TARGET.
need_emulator() {
    case $1 in
        x86_64-*-linux-*) ;;
        *-linux-*) need_packages qemu-user-static ;;
        *-windows-*) need_packages wine wine64 gcc-mingw-w64-x86-64-win32 ;;
        *) fail "nothing here runs programs for $1" ;;
    esac
}

# emulator TARGET [CPU]: the command that runs a program of TARGET, on a CPU as QEMU names it.
emulator() {
    local cpu=${2:+-cpu $2}
    case $1 in
        x86_64-*-linux-*) echo ${cpu:+qemu-x86_64-static $cpu} ;;
        aarch64-*-linux-*) echo qemu-aarch64-static $cpu ;;
        armv7*-linux-*) echo qemu-arm-static "${cpu:--cpu cortex-a7}" ;;
        arm-*-linux-*) echo qemu-arm-static "${cpu:--cpu arm1176}" ;;
        riscv64*-linux-*) echo qemu-riscv64-static $cpu ;;
        *-windows-*) echo "$root/ci/wine" ;;
    esac
}

# cross TARGET SUBCOMMAND ARGUMENT...   `rust_flags` are added to the compiler's.
cross() {
    local target=$1 command=$2 flags='' cargo_program=$zigbuild
    shift 2
    case $target in
        # The start files and the unwinder are zig's: rustc has none of its own for these targets.
        *-linux-musl*) flags=-Clink-self-contained=no ;;
        *-windows-gnu)
            need_packages gcc-mingw-w64-x86-64-win32 mingw-w64-x86-64-dev
            flags=-Clink-self-contained=no
            export "$(cross_variable "$target" LINKER)=$root/ci/windows-link"
            cargo_program=/usr/bin/cargo
            ;;
    esac
    # Tests are built in a folder that checkouts share, where these flags would part them.
    [ "$command" != build ] || flags+=" $(remapped_paths)"
    export "$(cross_variable "$target" RUSTFLAGS)=$flags ${rust_flags:-}"
    [ "$command" = build ] && [ "$cargo_program" = "$zigbuild" ] && command=zigbuild
    # Cargo would find rustup's, earlier in PATH, which is of another compiler.
    if [ "$command" = clippy ]; then
        need_packages rust-web-clippy
        cargo_program=/usr/bin/cargo-clippy
    fi
    cargo_from_source "$command" --locked --target "$target" \
        -Zbuild-std=std,panic_abort,test "$@" </dev/null
}
