# shellcheck shell=bash
# Reads the first-boot file, takes over keys and password, and leaves on the console what to do.
# Names come from the environment (see access.nix), so that a test can run it in a folder.
set -eu

keys=$ACCESS_FOLDER/$ACCESS_USER.keys
by_password=$ACCESS_FOLDER/sshd.conf
mkdir -p "$ACCESS_FOLDER" "$(dirname "$ISSUE_FILE")"
ignored=

# The value of "name = value", without the spaces around it and Windows' line end.
trimmed() {
  local text=$1
  text=${text#"${text%%[![:space:]]*}"}
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

set_password() {
  # By standard input: an argument could be read by every user of the machine.
  printf '%s:%s\n' "$ACCESS_USER" "$1" | chpasswd
}

if [ -f "$FIRST_BOOT_FILE" ]; then
  found_password=
  new_keys=
  number=0
  # Read whole first: it is rewritten below, and a key must not wait for a good line after it.
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    line=$(trimmed "$line")
    case $line in
      '' | '#'*) continue ;;
      *=*) ;;
      *)
        ignored="$ignored $number"
        continue
        ;;
    esac
    name=$(trimmed "${line%%=*}")
    value=$(trimmed "${line#*=}")
    case $name:$value in
      ssh-key:ssh-* | ssh-key:ecdsa-* | ssh-key:sk-*) new_keys="$new_keys$value"$'\n' ;;
      password:?*)
        if set_password "$value"; then found_password=1; else ignored="$ignored $number"; fi
        ;;
      *) ignored="$ignored $number" ;;
    esac
  done <"$FIRST_BOOT_FILE"

  if [ -n "$new_keys" ]; then
    printf '%s' "$new_keys" >"$keys.new"
    mv "$keys.new" "$keys"
  fi
  if [ -n "$found_password" ]; then
    printf 'Match User %s\n  PasswordAuthentication yes\n' "$ACCESS_USER" >"$by_password.new"
    mv "$by_password.new" "$by_password"
    # The card can be read by anyone who holds it.
    grep -v '^[[:space:]]*password[[:space:]]*=' "$FIRST_BOOT_FILE" >"$FIRST_BOOT_FILE.new" || true
    mv "$FIRST_BOOT_FILE.new" "$FIRST_BOOT_FILE"
    sync "$FIRST_BOOT_FILE"
  fi
fi

# By key only, once there is a key.
if [ -s "$keys" ] || [ "$KEYS_IN_CONFIGURATION" -gt 0 ]; then
  rm -f "$by_password"
  how="by key"
elif [ -e "$by_password" ]; then
  how="by password"
else
  how=
fi

# The \4 and \n are filled in by the console itself: this machine's address and name.
say() { printf '%s\n' "$1"; }
file=$(basename "$FIRST_BOOT_FILE")
{
  say ""
  say '  Photos:  http://\n.local:'"$IMMICH_PORT"'   or  http://\4:'"$IMMICH_PORT"
  if [ -n "$how" ]; then
    say "  Sign in: ssh $ACCESS_USER@"'\n.local'"   ($how)"
    say '  After every start:  immich-appliance unlock --start'
  else
    say '  Nobody can sign in yet. Switch the box off, put the SD card into a computer, and write'
    say "  a file named $file on its first partition, with one line:"
    say '      ssh-key = (the text of your public key, such as ~/.ssh/id_ed25519.pub)'
    say '  or'
    say '      password = (a long one)'
  fi
  if [ -n "$ignored" ]; then
    say "  Not understood in $file, line:$ignored"
  fi
  say ""
} >"$ISSUE_FILE"
