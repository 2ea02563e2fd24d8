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

# Rust itself. Debian's `rustc` is too old; the one that Debian keeps up to date for its
# browsers is not, and is there for Debian 12 and 13.
require_rust() {
    local wanted
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    [ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"
    rust_is_new_enough "$wanted" && return
    if dpkg-query --show --showformat='${db:Status-Abbrev}' rustc rustup 2>/dev/null | grep -q '^ii'; then
        echo "Rust $wanted or newer is needed, and an older one is installed." >&2
        echo "Update it (rustup update stable), or make room: apt-get remove rustc rustup" >&2
        exit 1
    fi
    require_packages scripts/packages-rust
    rust_is_new_enough "$wanted" && return
    echo "Rust $wanted or newer is needed; found: $(cargo --version 2>&1)" >&2
    echo "apt-get update && apt-get upgrade may bring it, or rustup." >&2
    exit 1
}

rust_is_new_enough() {
    local wanted=$1 found
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2)
    [ -n "$found" ] && command -v cargo >/dev/null &&
        [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n1)" = "$wanted" ]
}

# Clippy's compiler, which is rustc with lints.
clippy_driver() {
    local driver
    driver=$(rustc --print sysroot)/bin/clippy-driver
    if [ ! -x "$driver" ]; then
        echo "Clippy is missing, which comes with Rust: rustup component add clippy" >&2
        return 1
    fi
    printf '%s\n' "$driver"
}

# Programs of a list that Debian does not have, built once outside the clone.
require_cargo_tools() {
    local list=$1 folder wanted
    folder=${XDG_CACHE_HOME:-$HOME/.cache}/immich-appliance/tools
    PATH="$folder/bin:$PATH"
    mapfile -t wanted < <(sed 's/#.*//' "$list" | tr -s ' \t' '\n' | sed '/^$/d')
    # Each that is there at its version is left as it is.
    cargo install --quiet --locked --root "$folder" "${wanted[@]}"
}
