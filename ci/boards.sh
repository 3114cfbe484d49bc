# The boards of targets/: sourced after lib.sh.
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
