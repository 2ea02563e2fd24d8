# shellcheck shell=bash
# Brings the machine's flake up to date, builds it, and tries the new system. Names come from the
# environment (see updates.nix), so that a test can run it in a folder.
set -eu

lock=
case $FLAKE in
  /*)
    lock=$FLAKE/flake.lock
    # What was locked comes back if it does not build.
    [ ! -e "$lock" ] || cp --preserve "$lock" "$lock.former"
    nix flake update --flake "$FLAKE"
    ;;
esac

# Kept from the garbage collector until it is a generation of its own.
result=$STATE_FOLDER/next-system
mkdir -p "$STATE_FOLDER"
if ! nix build --out-link "$result" \
  "$FLAKE#nixosConfigurations.$ATTRIBUTE.config.system.build.toplevel"; then
  if [ -n "$lock" ] && [ -e "$lock.former" ]; then mv "$lock.former" "$lock"; fi
  rm -f "$result"
  echo "The new system could not be built. Nothing has changed." >&2
  exit 1
fi
[ -z "$lock" ] || rm -f "$lock.former"

if [ "$(readlink -f "$result")" = "$(readlink -f /run/current-system)" ]; then
  echo "The machine is up to date."
elif [ "$TRIAL" = yes ]; then
  immich-appliance-trial begin "$result"
else
  nix-env --profile /nix/var/nix/profiles/system --set "$(readlink -f "$result")"
  "$result/bin/switch-to-configuration" switch
fi
rm -f "$result"
