#!/bin/sh
# Installs picolm for one user, without root:
#
#   curl -fsSL URL/install.sh | sh
#   sh ci/install.sh [--dry-run] [--yes] [--model NAME] [--from-source] [--uninstall]
#
#   --dry-run      says what would be done, and does nothing
#   --yes          answers every question with yes; without a terminal nothing is asked or added
#   --model NAME   smollm2, tinyllama, llama, or auto (by this machine's memory): fetches it
#   --from-source  builds, with cargo, in place of fetching a release
#   --uninstall    removes what an installation has put here
#
# Everything goes to ~/.picolm (PICOLM_HOME): bin/picolm, models/, and `installed`, a list of both.
# Releases come from PICOLM_RELEASE_URL (https://..., file://... or a folder), models from
# PICOLM_MODEL_URL where it is set. PICOLM_TARGET names another target than this machine's.
# Downloads are checked and whole before they get their name.
set -eu

repository=https://github.com/picolm/picolm
releases=${PICOLM_RELEASE_URL:-$repository/releases/latest/download}
home=${PICOLM_HOME:-$HOME/.picolm}
dry='' yes='' model='' source='' uninstall=''

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

# step TEXT: says what is done, or would be; fails in a dry run, so that `step ... || return 0`
# leaves what follows out.
step() {
    if [ -n "$dry" ]; then
        say "would $*"
        return 1
    fi
    say "$*"
}

# ask QUESTION: yes, or no. Never yes without a terminal, whatever stdin is.
ask() {
    [ -z "$yes" ] || return 0
    [ -t 1 ] && (: </dev/tty) 2>/dev/null || return 1
    printf '%s [y/N] ' "$1"
    read -r answer </dev/tty || return 1
    case $answer in [yY]*) return 0 ;; esac
    return 1
}

# fetch URL FILE: the whole of it, or nothing and a failure. The file is in the scratch folder.
fetch() {
    case $1 in
    file://*) cp "${1#file://}" "$2" 2>/dev/null ;;
    /* | ./* | ../*) cp "$1" "$2" 2>/dev/null ;;
    *)
        if command -v curl >/dev/null; then
            curl -fsSL --retry 2 --connect-timeout 20 -o "$2" "$1" 2>/dev/null
        elif command -v wget >/dev/null; then
            wget -q -T 20 -O "$2" "$1" 2>/dev/null
        else
            fail "needs curl or wget"
        fi
        ;;
    esac || {
        rm -f "$2"
        return 1
    }
}

sha256_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 <"$1"
    else
        openssl dgst -sha256 -r <"$1"
    fi | cut -d' ' -f1
}

# Targets that run here, best first.
targets() {
    if [ -n "${PICOLM_TARGET:-}" ]; then
        say "$PICOLM_TARGET"
        return
    fi
    case $(uname -s)-$(uname -m) in
    Linux-x86_64) say "x86_64-unknown-linux-musl x86_64-unknown-linux-gnu" ;;
    # Also under a 32-bit userland: the program is static.
    Linux-aarch64) say "aarch64-unknown-linux-musl" ;;
    Linux-armv7* | Linux-armv8l) say "armv7-unknown-linux-musleabihf" ;;
    Linux-armv6*) say "arm-unknown-linux-musleabihf" ;;
    Linux-riscv64) say "riscv64gc-unknown-linux-musl" ;;
    Darwin-arm64) say "aarch64-apple-darwin" ;;
    Darwin-x86_64) say "x86_64-apple-darwin" ;;
    *) fail "no release for $(uname -s) on $(uname -m): try --from-source" ;;
    esac
}

# This machine's memory in MiB; 0 where it does not tell.
memory_mib() {
    if [ -r /proc/meminfo ]; then
        awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo
    else
        bytes=$(sysctl -n hw.memsize 2>/dev/null) || bytes=0
        say $((bytes / 1048576))
    fi
}

# put FILE NAME: into place below home, under a name that it gets only when it is there.
put() {
    mkdir -p "$home/$(dirname "$2")"
    mv -f "$1" "$home/$2"
    grep -qsxF "$2" "$home/installed" || say "$2" >>"$home/installed"
}

install_release() {
    targets=$(targets)
    step "fetch the list of releases from $releases" || {
        step "fetch and check picolm for ${targets%% *}, and install it to $home/bin/picolm" || :
        return 0
    }
    fetch "$releases/SHA256SUMS" "$scratch/SHA256SUMS" || fail "$releases: no release there"
    for target in $targets; do
        archive=picolm-$target.tar.gz
        expected=$(awk -v name="$archive" '$2 == name { print $1 }' "$scratch/SHA256SUMS")
        [ -z "$expected" ] || break
    done
    [ -n "$expected" ] || fail "the release has no picolm for $targets: try --from-source"
    step "fetch $archive"
    fetch "$releases/$archive" "$scratch/$archive" || fail "$releases/$archive: cannot be fetched"
    step "check its SHA-256"
    [ "$(sha256_of "$scratch/$archive")" = "$expected" ] ||
        fail "$archive is not the file that SHA256SUMS names: nothing was installed"
    tar -xzf "$scratch/$archive" -C "$scratch"
    step "install $home/bin/picolm"
    put "$scratch/picolm-$target/picolm" bin/picolm
}

install_from_source() {
    command -v cargo >/dev/null || [ -n "$dry" ] ||
        fail "cargo is missing: install Rust (https://rustup.rs), or leave out --from-source"
    checkout=$(cd "$(dirname "$0")/.." 2>/dev/null && pwd) || checkout=
    if [ ! -f "$checkout/cli/Cargo.toml" ]; then
        checkout=$scratch/source
        step "clone $repository" && git clone -q --depth 1 "$repository" "$checkout"
    fi
    step "build picolm (a few minutes)" || {
        step "install $home/bin/picolm" || :
        return 0
    }
    (cd "$checkout" && CARGO_TARGET_DIR="$scratch/target" \
        cargo build --quiet --release --locked --package picolm </dev/null) ||
        fail "the build failed"
    step "install $home/bin/picolm"
    put "$scratch/target/release/picolm" bin/picolm
}

offer_path() {
    case :$PATH: in *:"$home/bin":*) return 0 ;; esac
    case ${SHELL:-} in
    */zsh) profile=$HOME/.zshrc ;;
    */bash) profile=$HOME/.bashrc ;;
    *) profile=$HOME/.profile ;;
    esac
    line="export PATH=\"$home/bin:\$PATH\" # picolm"
    if [ -n "$dry" ]; then
        say "would ask whether to add $home/bin to PATH, in $profile"
    elif ask "Add $home/bin to PATH, in $profile?"; then
        step "add $home/bin to PATH, in $profile"
        grep -qxF "$line" "$profile" 2>/dev/null || say "$line" >>"$profile"
    else
        say "not on PATH: call $home/bin/picolm, or add to $profile: $line"
    fi
}

# Where a model comes from, and its name here.
model_url() {
    case $1 in
    smollm2)
        owner=bartowski name=SmolLM2-135M-Instruct-GGUF
        file=SmolLM2-135M-Instruct-Q8_0.gguf
        ;;
    tinyllama)
        owner=TheBloke name=TinyLlama-1.1B-Chat-v1.0-GGUF
        file=tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf
        ;;
    llama)
        owner=bartowski name=Llama-3.2-1B-Instruct-GGUF
        file=Llama-3.2-1B-Instruct-Q4_K_M.gguf
        ;;
    *) fail "--model: '$1' is none of smollm2, tinyllama, llama, auto" ;;
    esac
    say "https://huggingface.co/$owner/$name/resolve/main/$file"
}

# The model of a name, or nothing where none is wanted.
fetch_model() {
    memory=$(memory_mib)
    if [ "$memory" -lt 1000 ]; then
        suited=smollm2
    elif [ "$memory" -lt 3500 ]; then
        suited=tinyllama
    else
        suited=llama
    fi
    if [ -z "$model" ]; then
        if [ -n "$dry" ]; then
            say "would ask whether to fetch a model: $suited suits $memory MiB of memory"
            return 0
        fi
        ask "Fetch a model ($suited suits this machine's $memory MiB)?" || {
            say "no model: --model auto fetches one that suits ($suited)"
            return 0
        }
        model=auto
    fi
    [ "$model" = auto ] && model=$suited
    url=$(model_url "$model") || exit 1
    url=${PICOLM_MODEL_URL:-$url}
    file=models/${url##*/}
    if [ -f "$home/$file" ]; then
        say "$home/$file is there"
    else
        step "fetch $url" || return 0
        fetch "$url" "$scratch/model" ||
            fail "$url: cannot be fetched (picolm itself is installed)"
        # The name may lead to a page that says sorry.
        [ "$(head -c 4 "$scratch/model")" = GGUF ] || fail "$url: no model there"
        put "$scratch/model" "$file"
    fi
    step "ask it something" || return 0
    "$home/bin/picolm" "$home/$file" --quiet -t 0 -n 16 -p "The capital of France is" </dev/null ||
        fail "picolm cannot run $home/$file"
    say ""
}

uninstall() {
    [ -f "$home/installed" ] || fail "$home: no installation there"
    while IFS= read -r name; do
        step "remove $home/$name" && rm -f "$home/$name"
    done <"$home/installed"
    for profile in "$HOME/.zshrc" "$HOME/.bashrc" "$HOME/.profile"; do
        if grep -q '^export PATH=.* # picolm$' "$profile" 2>/dev/null; then
            step "take picolm off PATH, in $profile" || continue
            # Written into the file itself, which keeps its owner, mode and links.
            rest=$(grep -v '^export PATH=.* # picolm$' "$profile") || :
            printf '%s' "${rest:+$rest
}" >"$profile"
        fi
    done
    [ -z "$dry" ] || return 0
    rm -f "$home/installed"
    rmdir "$home/bin" "$home/models" "$home" 2>/dev/null || :
    [ ! -d "$home" ] || say "$home stays: something else is in it"
}

main() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) dry=1 ;;
        --yes | -y) yes=1 ;;
        --from-source) source=1 ;;
        --uninstall) uninstall=1 ;;
        --model)
            [ $# -gt 1 ] || fail "--model: which one? smollm2, tinyllama, llama or auto"
            model=$2
            [ "$model" = auto ] || model_url "$model" >/dev/null
            shift
            ;;
        -h | --help)
            sed -n '2,/^set/s/^# \{0,1\}//p' "$0" 2>/dev/null
            exit 0
            ;;
        *)
            say "install: '$1' is no option: see --help" >&2
            exit 2
            ;;
        esac
        shift
    done
    if [ -n "$uninstall" ]; then
        uninstall
        return
    fi
    scratch=
    if [ -z "$dry" ]; then
        mkdir -p "$home"
        scratch=$(mktemp -d "$home/install-XXXXXX")
        # Whatever happens, nothing half stays; of a first try that failed, nothing at all.
        trap 'rm -rf "$scratch"; rmdir "$home" 2>/dev/null || :' EXIT
        trap 'exit 130' INT TERM HUP
    fi
    if [ -n "$source" ]; then install_from_source; else install_release; fi
    [ -n "$dry" ] || say "installed: $("$home/bin/picolm" --version </dev/null)"
    offer_path
    fetch_model
    say "PicoClaw calls it as: $home/bin/picolm MODEL.gguf -n 256 -j 4 -t 0.7 [--json]"
    say "with the prompt, special tokens and all, on standard input; the answer alone is on output."
}

# Read whole before anything is done: a download that is cut off does nothing.
main "$@"
