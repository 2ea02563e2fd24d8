# shellcheck shell=bash
# Installs the units of dist/systemd/ with the command's own path:
#   package-units.sh UNITS DESTINATION COMMAND
# A unit that names a path that NixOS does not have is refused.
set -eu

units=$1 destination=$2 command=$3
mkdir -p "$destination"
cp -r --no-preserve=mode "$units"/. "$destination/"
cd "$destination"
rm -f README.md
find . -type f -exec sed -i -E "s,/usr/bin/immich-appliance([^[:alnum:]_-]|$),$command\\1,g" {} +

# Whatever is left of them after that, but for the comments.
if grep -rnE "^[^#;](.*[^[:alnum:]])?/(usr|bin|sbin|lib|opt)/" .; then
  echo "a unit names a path that NixOS does not have" >&2
  exit 1
fi
