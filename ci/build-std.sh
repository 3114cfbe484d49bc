# A compiler that brings the sources of its standard library, for targets that rustup may not offer
# here. Sourced after lib.sh; gives `cargo_from_source ARGUMENT...`, which calls the program that
# `cargo_program` names, where it is set, in cargo's place, and builds into `build_folder`.
#
# Debian's rustc-web is a current rustc with those sources (rust-web-src). `-Zbuild-std` compiles
# just the named crates of the library for the target: what is not named does not exist there.
# RUSTC_BOOTSTRAP=1 lets a stable compiler take that one `-Z` flag; no source here uses a feature.
# shellcheck shell=bash disable=SC2154

cargo_from_source() {
    need_rust
    need_packages rustc-web cargo-web rust-web-src
    # rustup's shims stand earlier in PATH; cargo finds its compiler by these.
    env -u RUSTUP_TOOLCHAIN -u RUSTFLAGS RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc \
        RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="${build_folder:-$cache/build-std}" \
        "${cargo_program:-/usr/bin/cargo}" "$@"
}
