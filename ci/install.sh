#!/bin/sh
# Installs picolm for one user, without root: see `usage` below.
#
# Downloads are checked and whole before they get their name; what cannot run here replaces nothing.
set -eu

usage() {
    cat <<'TEXT'
Installs picolm for one user, without root:

  curl -fsSL URL/install.sh | sh
  sh ci/install.sh [--dry-run] [--yes] [--model NAME] [--service] [--picoclaw]
                   [--from-source] [--uninstall]

  --dry-run      says what would be done, and does nothing
  --yes          answers every question with yes; without a terminal nothing is asked or added
  --model NAME   smollm2, tinyllama, llama, or auto (by this machine's memory): fetches it
  --service      serves the model at http://127.0.0.1:8080, by a systemd service of this user
  --picoclaw     writes ~/.picoclaw/config.json for that server, where there is none
  --from-source  builds, with cargo, in place of fetching a release
  --uninstall    removes what an installation has put here

Everything goes to ~/.picolm (PICOLM_HOME): bin/picolm, models/, and `installed`, a list of both.
Releases come from PICOLM_RELEASE_URL (https://..., file://... or a folder), models from
PICOLM_MODEL_URL (checked by PICOLM_MODEL_SHA256) where it is set. PICOLM_TARGET names another
target than this machine's. A download that stalls for PICOLM_STALL_S seconds (30) is gone on with.
TEXT
}

repository=https://github.com/picolm/picolm
releases=${PICOLM_RELEASE_URL:-$repository/releases/latest/download}
home=${PICOLM_HOME:-${HOME:-}/.picolm}
stall_s=${PICOLM_STALL_S:-30}
dry='' yes='' model='' file='' service='' picoclaw='' source='' uninstall=''

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

# transfer URL FILE SHOWN: goes on where FILE ends. `SHOWN` is yes for a bar.
transfer() {
    shown=$3
    if command -v curl >/dev/null; then
        protocols='=http,https' bar=-s
        # No redirection leaves what is secret and whole.
        case $1 in https://*) protocols='=https' ;; esac
        [ "$shown" = no ] || bar=--progress-bar
        curl -fL $bar --proto "$protocols" --connect-timeout 20 \
            --speed-limit 1000 --speed-time "$stall_s" -C - -o "$2" "$1"
    elif wget --version 2>/dev/null | grep -q GNU; then
        bar=
        [ "$shown" = no ] || bar=--show-progress
        wget -q $bar -t 1 -T "$stall_s" -c -O "$2" "$1"
    else
        bar=-q
        [ "$shown" = no ] || bar=
        wget $bar -T "$stall_s" -c -O "$2" "$1"
    fi
}

bytes_of() {
    if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi
}

# download URL FILE SHOWN: tries again for as long as each try brings something, five times.
download() {
    tries=5 have=$(bytes_of "$2")
    while :; do
        status=0
        transfer "$@" || status=$?
        [ $status -ne 0 ] || return 0
        # A server that does not go on where a file ends: from its beginning.
        [ $status -ne 33 ] || rm -f "$2"
        now=$(bytes_of "$2") tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        [ $status -eq 33 ] || [ "$now" -gt "$have" ] || return 1
        have=$now
    done
}

# fetch URL FILE [SHOWN]: the whole of it, or a failure. A copy that failed leaves nothing; what is
# left of a download can be gone on with.
fetch() {
    case $1 in
    file://*) copied=${1#file://} ;;
    *://*)
        command -v curl >/dev/null || command -v wget >/dev/null || fail "needs curl or wget"
        if [ "${3:-no}" = yes ] && [ -t 2 ]; then
            download "$1" "$2" yes
        else
            download "$1" "$2" no 2>/dev/null
        fi
        return
        ;;
    *) copied=$1 ;;
    esac
    cp "$copied" "$2" 2>/dev/null || {
        rm -f "$2"
        return 1
    }
}

# What hashes here, before anything is fetched.
need_sha256() {
    for sha256 in sha256sum shasum openssl; do
        ! command -v $sha256 >/dev/null || return 0
    done
    fail "needs sha256sum, shasum or openssl, to check what is fetched"
}

sha256_of() {
    case $sha256 in
    sha256sum) sha256sum <"$1" ;;
    shasum) shasum -a 256 <"$1" ;;
    openssl) openssl dgst -sha256 -r <"$1" ;;
    esac | cut -d' ' -f1
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

# note NAME: what uninstalling is to remove.
note() {
    grep -qsxF "$1" "$home/installed" || say "$1" >>"$home/installed" ||
        fail "$home/installed: cannot be written"
}

# put FILE NAME: into place below home, under a name that it gets only when it is there.
put() {
    if ! mkdir -p "$home/$(dirname "$2")" || ! mv -f "$1" "$home/$2"; then
        fail "$home/$2: cannot be put there"
    fi
    note "$2"
}

# put_program FILE: where it runs on this machine. The one that is there stays otherwise.
put_program() {
    chmod +x "$1" 2>/dev/null || :
    version=$("$1" --version </dev/null 2>"$scratch/log") ||
        fail "this picolm does not run here ($(head -n 1 "$scratch/log")): nothing was installed"
    step "install $home/bin/picolm"
    put "$1" bin/picolm
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
    tar -xzf "$scratch/$archive" -C "$scratch" || fail "$archive cannot be unpacked"
    put_program "$scratch/picolm-$target/picolm"
}

install_from_source() {
    command -v cargo >/dev/null || [ -n "$dry" ] ||
        fail "cargo is missing: install Rust (https://rustup.rs), or leave out --from-source"
    # A script that comes through a pipe has no name, and the folder above is anyone's.
    checkout=
    case $0 in
    *install.sh) checkout=$(cd "$(dirname "$0")/.." 2>/dev/null && pwd) || checkout= ;;
    esac
    if [ ! -f "$checkout/cli/Cargo.toml" ]; then
        checkout=$scratch/source
        ! step "clone $repository" || git clone -q --depth 1 "$repository" "$checkout" ||
            fail "$repository: cannot be cloned"
    fi
    step "build picolm (a few minutes)" || {
        step "install $home/bin/picolm" || :
        return 0
    }
    (cd "$checkout" && CARGO_TARGET_DIR="$scratch/target" \
        cargo build --quiet --release --locked --package picolm --features serve </dev/null) ||
        fail "the build failed"
    put_program "$scratch/target/release/picolm"
}

fish_profile=${XDG_CONFIG_HOME:-${HOME:-}/.config}/fish/conf.d/picolm.fish

# path_line PROFILE: what puts picolm on PATH there.
path_line() {
    case $1 in
    *.fish) say "fish_add_path \"$home/bin\" # picolm" ;;
    *) say "export PATH=\"$home/bin:\$PATH\" # picolm" ;;
    esac
}

# add_line LINE PROFILE: behind a last line that may have no end.
add_line() {
    mkdir -p "$(dirname "$2")" || return
    if [ ! -e "$2" ]; then
        note "made $2"
    elif [ -n "$(tail -c 1 "$2")" ]; then
        echo >>"$2" || return
    fi
    say "$1" >>"$2"
}

offer_path() {
    case :$PATH: in *:"$home/bin":*) return 0 ;; esac
    case ${SHELL:-} in
    */zsh) profile=$HOME/.zshrc ;;
    */bash) profile=$HOME/.bashrc ;;
    */fish) profile=$fish_profile ;;
    *) profile=$HOME/.profile ;;
    esac
    line=$(path_line "$profile")
    if [ -n "$dry" ]; then
        say "would ask whether to add $home/bin to PATH, in $profile"
    elif grep -qsxF "$line" "$profile"; then
        say "on PATH from the next login on, by $profile"
    elif ask "Add $home/bin to PATH, in $profile?"; then
        step "add $home/bin to PATH, in $profile"
        add_line "$line" "$profile" || fail "$profile: cannot be written (picolm is installed)"
    else
        say "not on PATH: call $home/bin/picolm, or add to $profile: $line"
    fi
}

# Where a model comes from, and the SHA-256 of that revision.
model_url() {
    case $1 in
    smollm2)
        owner=QuantFactory name=SmolLM2-135M-Instruct-GGUF
        revision=ab810cf68114990406fdf996510dd3d3c6adbdf5
        file=SmolLM2-135M-Instruct.Q4_1.gguf
        model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
        ;;
    tinyllama)
        owner=TheBloke name=TinyLlama-1.1B-Chat-v1.0-GGUF
        revision=52e7645ba7c309695bec7ac98f4f005b139cf465
        file=tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf
        model_sha256=9fecc3b3cd76bba89d504f29b616eedf7da85b96540e490ca5824d3f7d2776a0
        ;;
    llama)
        owner=bartowski name=Llama-3.2-1B-Instruct-GGUF
        revision=067b946cf014b7c697f3654f621d577a3e3afd1c
        file=Llama-3.2-1B-Instruct-Q4_K_M.gguf
        model_sha256=6f85a640a97cf2bf5b8e764087b1e83da0fdb51d7c9fab7d0fece9385611df83
        ;;
    *) fail "--model: '$1' is none of smollm2, tinyllama, llama, auto" ;;
    esac
    url=https://huggingface.co/$owner/$name/resolve/$revision/$file
}

# bring_model: from `url` to `file`, whose SHA-256 is `model_sha256` where that is known. Then what
# a download that broke off has brought is gone on with when the script is run again.
bring_model() {
    step "fetch $url" || return 1
    part=$file.part
    if [ -z "$model_sha256" ]; then
        rm -f "$home/$part"
        say "its SHA-256 is not pinned: it is taken as it comes"
    fi
    mkdir -p "$home/models" || fail "$home/models: cannot be made"
    note "$part"
    [ -z "$model_sha256" ] || [ ! -f "$home/$part" ] ||
        [ "$(sha256_of "$home/$part")" != "$model_sha256" ] || fetched=1
    [ -n "${fetched:-}" ] || fetch "$url" "$home/$part" yes || {
        if [ -z "$model_sha256" ] || [ ! -s "$home/$part" ]; then rm -f "$home/$part"; fi
        fail "$url: cannot be fetched (picolm itself is installed)"
    }
    # The name may lead to a page that says sorry.
    why=
    [ "$(head -c 4 "$home/$part")" = GGUF ] || why="no model there"
    if [ -n "$model_sha256" ] && [ -z "$why" ]; then
        step "check its SHA-256"
        [ "$(sha256_of "$home/$part")" = "$model_sha256" ] || why="another SHA-256 than is known"
    fi
    if [ -n "$why" ]; then
        rm -f "$home/$part"
        fail "$url: $why"
    fi
    put "$home/$part" "$file"
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
    model_url "$model"
    if [ -n "${PICOLM_MODEL_URL:-}" ]; then
        url=$PICOLM_MODEL_URL model_sha256=${PICOLM_MODEL_SHA256:-}
    fi
    file=models/${url##*/}
    if [ -f "$home/$file" ]; then
        say "$home/$file is there"
    else
        bring_model || return 0
    fi
    step "ask it something" || return 0
    "$home/bin/picolm" "$home/$file" --quiet -t 0 -n 16 -p "The capital of France is" </dev/null ||
        fail "picolm cannot run $home/$file"
    say ""
}

# The model that is served: the one that was fetched, or the first that is there.
served_model() {
    [ -n "$file" ] || for there in "$home"/models/*.gguf; do
        [ ! -f "$there" ] || file=models/${there##*/}
        break
    done
    [ -n "$file" ] || [ -n "$dry" ] || fail "$1: no model is there; --model auto fetches one"
}

server=http://127.0.0.1:8080
unit=${XDG_CONFIG_HOME:-${HOME:-}/.config}/systemd/user/picolm.service

# The service: of this user's it can write the texts that it keeps, and it opens no other sockets.
unit_text() {
    cat <<TEXT
[Unit]
Description=PicoLM, a language model server

[Service]
ExecStart="$home/bin/picolm" serve "$home/$file" --cache-dir "$home/cache"
Restart=on-failure
RestartSec=5
TimeoutStopSec=10
NoNewPrivileges=yes
PrivateUsers=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths="$home/cache"
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=default.target
TEXT
}

install_service() {
    command -v systemctl >/dev/null || [ -n "$dry" ] || fail "--service: systemd is not here"
    served_model --service
    step "serve ${file:-the model} by $unit" || return 0
    # A % is a specifier there.
    case $home in *%*) fail "$home: a % in a folder's name; set PICOLM_HOME" ;; esac
    "$home/bin/picolm" serve --help </dev/null >/dev/null 2>&1 ||
        fail "--service: this picolm has no server"
    mkdir -p "$(dirname "$unit")" "$home/cache" || fail "$unit: cannot be made"
    [ ! -e "$unit" ] || grep -qsxF "made $unit" "$home/installed" ||
        fail "$unit is there already, and not by this script"
    note "made $unit"
    note cache/
    unit_text >"$unit" || fail "$unit: cannot be written"
    if ! systemctl --user daemon-reload || ! systemctl --user enable --now picolm; then
        fail "the service does not start: see journalctl --user -u picolm"
    fi
    seconds=0
    until fetch "$server/health" "$scratch/health"; do
        [ $seconds -lt 60 ] ||
            fail "$server does not answer: see journalctl --user -u picolm"
        sleep 1
        seconds=$((seconds + 1))
    done
    say "$server answers; it stops when you log out, unless: loginctl enable-linger"
}

# PicoClaw's own file may hold keys: it is never changed.
configure_picoclaw() {
    config=${HOME:-}/.picoclaw/config.json
    if [ -e "$config" ]; then
        say "$config is there, and stays. Its model_list takes this for the server:"
        say "$(picoclaw_model)"
        return 0
    fi
    step "write $config" || return 0
    if ! mkdir -p "${config%/*}" || ! picoclaw_text >"$config"; then
        fail "$config: cannot be written"
    fi
}

# Its requests wait for as long as a slow board needs, and name no more than a small model has.
picoclaw_model() {
    cat <<TEXT
    {
      "model_name": "local",
      "provider": "lmstudio",
      "model": "picolm",
      "api_base": "$server/v1",
      "request_timeout": 3600,
      "streaming": { "enabled": true }
    }
TEXT
}

picoclaw_text() {
    cat <<TEXT
{
  "version": 3,
  "agents": {
    "defaults": { "model_name": "local", "max_tokens": 512, "context_window": 8192 }
  },
  "model_list": [
$(picoclaw_model)
  ]
}
TEXT
}

# without LINE <FILE: its other lines; the last one ends as it did.
without() {
    LC_ALL=C line=$1 ends=$2 awk '
        $0 != ENVIRON["line"] { printf "%s%s", any ? "\n" : "", $0; any = 1 }
        END { if (any && ENVIRON["ends"] == "yes") printf "\n" }'
}

# take_off PROFILE: takes this installation's line out, by a copy that takes the file's place: what
# fails in between leaves it as it was.
take_off() {
    line=$(path_line "$1")
    grep -qsxF "$line" "$1" || return 0
    step "take picolm off PATH, in $1" || return 0
    ends=yes
    [ -z "$(tail -c 1 "$1")" ] || ends=no
    # A link stays one.
    real=$(readlink -f "$1" 2>/dev/null) || real=$1
    copy=$real.picolm-$$
    if cp -p "$real" "$copy" 2>/dev/null && without "$line" "$ends" <"$real" >"$copy" &&
        mv -f "$copy" "$real"; then
        [ -s "$real" ] || ! grep -qsxF "made $1" "$home/installed" || rm -f "$1"
    else
        rm -f "$copy"
        say "install: $1: cannot be written; this line is left: $line" >&2
        left=1
    fi
}

remove_service() {
    systemctl --user disable --now picolm 2>/dev/null || :
    rm -f "$unit" || left=1
    systemctl --user daemon-reload 2>/dev/null || :
}

uninstall() {
    [ -f "$home/installed" ] || fail "$home: no installation there"
    left=
    for profile in "$HOME/.zshrc" "$HOME/.bashrc" "$HOME/.profile" "$fish_profile"; do
        take_off "$profile"
    done
    while IFS= read -r name; do
        case $name in
        "made $unit") ! step "stop and remove the service, $unit" || remove_service ;;
        "made "*) ;;
        cache/) ! step "remove the texts in $home/cache" || rm -f "$home"/cache/picolm-* ;;
        *.part) [ -n "$dry" ] || rm -f "$home/$name" ;;
        *) ! step "remove $home/$name" || rm -f "$home/$name" || left=1 ;;
        esac
    done <"$home/installed"
    [ -z "$dry" ] || return 0
    rm -f "$home/installed"
    rmdir "$home/bin" "$home/models" "$home/cache" "$home" 2>/dev/null || :
    [ ! -d "$home" ] || say "$home stays: something else is in it"
    [ -z "$left" ] || exit 1
}

# Names that a profile would read as something else are refused rather than quoted for each shell.
check_home() {
    [ -n "${PICOLM_HOME:-}" ] || [ -n "${HOME:-}" ] || fail "HOME is not set"
    HOME=${HOME:-/}
    case $home in
    /*) ;;
    *) home=$(pwd)/$home ;;
    esac
    case $home in
    *[\$\`\"\\:]* | *"
"*) fail "$home: \$, \`, \", \\, : or a line break in a folder's name; set PICOLM_HOME" ;;
    esac
}

main() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) dry=1 ;;
        --yes | -y) yes=1 ;;
        --service) service=1 ;;
        --picoclaw) picoclaw=1 ;;
        --from-source) source=1 ;;
        --uninstall) uninstall=1 ;;
        --model)
            [ $# -gt 1 ] || fail "--model: which one? smollm2, tinyllama, llama or auto"
            model=$2
            [ "$model" = auto ] || model_url "$model"
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            say "install: '$1' is no option: see --help" >&2
            exit 2
            ;;
        esac
        shift
    done
    check_home
    if [ -n "$uninstall" ]; then
        uninstall
        return
    fi
    need_sha256
    scratch=
    if [ -z "$dry" ]; then
        mkdir -p "$home" 2>/dev/null || fail "$home: cannot be made"
        scratch=$(mktemp -d "$home/install-XXXXXX" 2>/dev/null) ||
            fail "$home: cannot be written to"
        # Whatever happens, nothing half stays; of a first try that failed, nothing at all.
        trap 'rm -rf "$scratch"; rmdir "$home" 2>/dev/null || :' EXIT
        trap 'exit 130' INT TERM HUP
    fi
    if [ -n "$source" ]; then install_from_source; else install_release; fi
    [ -n "$dry" ] || say "installed: $version"
    offer_path
    fetch_model
    [ -z "$service" ] || install_service
    [ -z "$picoclaw" ] || configure_picoclaw
    say "PicoClaw calls it as: $home/bin/picolm MODEL.gguf -n 256 -j 4 -t 0.7 [--json]"
    say "with the prompt, special tokens and all, on standard input; the answer alone is on output."
}

# Read whole before anything is done: a download that is cut off, wherever that is, does nothing.
{ main "$@"; exit; }
