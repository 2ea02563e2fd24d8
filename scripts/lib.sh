# Shared by the scripts: what they need from Debian, installed or named.
# shellcheck shell=bash

# Installs the packages of a list that are missing: as root with apt, else prints the
# command and stops.
require_packages() {
    local list=$1 package missing=()
    while read -r package; do
        dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
            missing+=("$package")
    done < <(sed 's/#.*//' "$list" | tr -s ' \t' '\n' | sed '/^$/d')
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "These packages are missing. Install them and run this again:" >&2
        echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
}

# Rust itself: Debian 12's and 13's own are too old, so a newer one has to be there.
require_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    [ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"
    found=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
    if [ -z "$found" ] || [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n1)" != "$wanted" ]; then
        echo "Rust $wanted or newer is needed (found: ${found:-none})." >&2
        echo "On Debian 13: apt-get install rustup, then: rustup default stable" >&2
        exit 1
    fi
}
