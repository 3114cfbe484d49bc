# Programs for processors that an x86-64 machine is not: compiled with the standard library's
# sources (build-std.sh), linked by zig with its own musl, run by QEMU's user emulation. Sourced
# after lib.sh; gives `cross TARGET ARGUMENT...`, which is cargo for that target.
#
# The emulator refuses what a CPU does not have: arm1176 stops at an ARMv7 instruction, cortex-a53
# at `sdot`. It says nothing about speed.
# shellcheck shell=bash disable=SC2154
. "$root/ci/build-std.sh"

# need_cross: the linker, where cargo-zigbuild looks for it.
need_cross() {
    local found
    found=$(python --with ziglang,cargo-zigbuild -c '
import os, sys, ziglang
print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))
print(os.path.join(os.path.dirname(sys.executable), "cargo-zigbuild"))')
    cargo_program=${found#*$'\n'}
    export CARGO_ZIGBUILD_ZIG_PATH=${found%%$'\n'*} CARGO=/usr/bin/cargo
}

# cross_variable TARGET NAME: the environment variable that is cargo's `target.TARGET.NAME`.
cross_variable() { echo "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$1")_$2"; }

# cross TARGET SUBCOMMAND ARGUMENT...
cross() {
    local target=$1 command=$2
    shift 2
    # The start files and the unwinder are zig's: rustc has none of its own for these targets.
    export "$(cross_variable "$target" RUSTFLAGS)=-Clink-self-contained=no"
    [ "$command" = build ] && command=zigbuild
    cargo_from_source "$command" --locked --target "$target" \
        -Zbuild-std=std,panic_abort,test "$@" </dev/null
}
