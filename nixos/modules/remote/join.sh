# shellcheck shell=bash
# Joins the Tailscale network with the key that came on the card. A key that was refused three times
# is erased and no longer tried. Names come from the environment (see tailscale.nix), so that a test
# can run it in a folder.
set -eu

key=$STATE_FOLDER/tailscale-auth-key
server=$STATE_FOLDER/tailscale-login-server
tries=$STATE_FOLDER/tailscale-tries
refused=$STATE_FOLDER/tailscale-key-refused

forget_key() {
  rm -f "$tries"
  [ ! -e "$key" ] || shred --zero --remove "$key"
  sync "$STATE_FOLDER"
}

if [ ! -s "$key" ]; then
  forget_key
  if [ -e "$refused" ] && tailscale status >/dev/null 2>&1; then
    # It was joined by hand since.
    rm -f "$refused" "$ISSUE_FILE"
  fi
else
  set -- --timeout 120 --auth-key-file "$key"
  address=https://controlplane.tailscale.com
  if [ -s "$server" ]; then
    address=$(cat "$server")
    set -- "$@" --login-server "$address"
  fi
  # Without the internet the key was not refused.
  if ! curl --silent --output /dev/null --max-time 20 "$address"; then
    echo "$address cannot be reached. It is tried again." >&2
    exit 1
  fi
  if immich-appliance --no-input remote enroll "$@"; then
    rm -f "$refused" "$ISSUE_FILE"
    forget_key
  else
    count=$(($(cat "$tries" 2>/dev/null || echo 0) + 1))
    if [ "$count" -lt 3 ]; then
      printf '%s\n' "$count" >"$tries"
      exit 1
    fi
    # First what is said, then what is erased: a power cut in between tries it once more.
    date --utc +%FT%TZ >"$refused"
    forget_key
  fi
fi

if [ -e "$refused" ]; then
  mkdir -p "$(dirname "$ISSUE_FILE")"
  {
    echo
    echo "  The card's Tailscale key was refused three times and has been erased."
    echo "  Join by hand:  sudo immich-appliance remote enroll"
    echo
  } >"$ISSUE_FILE"
  echo "The card's Tailscale key was refused and erased ($(cat "$refused")). Join by hand: sudo immich-appliance remote enroll" >&2
fi
