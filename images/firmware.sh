# shellcheck shell=bash
# Brings the firmware partition in step with the system, with a way back:
#
#   firmware.sh renew   if the system has other firmware than the partition
#   firmware.sh back    the files that were there before the last renewal
#
# The former files lie in the folder `former` on the partition, so that a PC can bring them back as
# well, by copying that folder's contents up. Names come from the environment (see firmware.nix).
set -eu
shopt -s nullglob

# FAT has no atomic rename, but a file is never half written under its own name.
put() { # file, to
  mkdir -p "$(dirname "$2")"
  cp "$1" "$2.new"
  sync "$2.new"
  mv "$2.new" "$2"
}
# The last files: the rest is there when the firmware starts to look at the new ones.
last=(config.txt)
copy_all() { # from, to
  local file
  (cd "$1" && find . -type f ! -path './former/*' ! -name '*.new' | sort) | while read -r file; do
    [ "$(basename "$file")" = "${last[0]}" ] || cmp --silent "$1/$file" "$2/$file" || put "$1/$file" "$2/$file"
  done
  for file in "${last[@]}"; do
    if [ -e "$1/$file" ]; then cmp --silent "$1/$file" "$2/$file" || put "$1/$file" "$2/$file"; fi
  done
  sync "$2"
}

bytes_of() {
  local bytes=0
  [ ! -d "$1" ] || bytes=$(du --summarize --block-size=1 "$1" | cut -f1)
  printf '%s\n' "$bytes"
}

if ! $IS_MOUNTED "$PARTITION"; then
  echo "$PARTITION is not mounted. Its firmware stays as it is." >&2
  exit 0
fi
former=$PARTITION/former
case ${1:-} in
  renew)
    # A person went back, and this firmware is the one that was left.
    if [ "$(cat "$PARTITION/former-is-wanted" 2>/dev/null)" = "$FIRMWARE" ]; then exit 0; fi
    changed=$(cd "$FIRMWARE" && find . -type f | sort | while read -r file; do
      cmp --silent "$file" "$PARTITION/$file" || echo "$file"
    done)
    [ -n "$changed" ] || exit 0

    # Everything twice, and room to write one more file.
    need=$(($(bytes_of "$FIRMWARE") * 2 + 8 * 1024 * 1024))
    have=$(($(df --output=avail --block-size=1 "$PARTITION" | tail -n1) + $(bytes_of "$former")))
    if [ "$have" -lt "$need" ]; then
      echo "The firmware partition has $((have / 1048576)) MiB free, and new firmware needs $((need / 1048576)). It stays as it is." >&2
      exit 1
    fi
    # Whole or not at all: a power cut leaves `former.new`, which nobody takes for the former files.
    rm -rf "$former.new"
    mkdir "$former.new"
    (cd "$FIRMWARE" && find . -type f | sort) | while read -r file; do
      if [ -e "$PARTITION/$file" ]; then
        mkdir -p "$(dirname "$former.new/$file")"
        cp "$PARTITION/$file" "$former.new/$file"
      fi
    done
    sync --file-system "$PARTITION"
    # After a power cut in the middle of the copying below, the files are a mixture. They must not
    # take the place of the former ones.
    if [ -e "$PARTITION/renewal-under-way" ] && [ -d "$former" ]; then
      rm -rf "$former.new"
    else
      rm -rf "$former"
      mv "$former.new" "$former"
    fi
    : >"$PARTITION/renewal-under-way"
    sync --file-system "$PARTITION"
    copy_all "$FIRMWARE" "$PARTITION"
    rm -f "$PARTITION/renewal-under-way" "$PARTITION/former-is-wanted"
    sync --file-system "$PARTITION"
    echo "The firmware was renewed. It is used from the next start on; the former files are in $former."
    ;;
  back)
    if [ ! -d "$former" ]; then
      echo "There is no former firmware on this card." >&2
      exit 1
    fi
    copy_all "$former" "$PARTITION"
    printf '%s\n' "$FIRMWARE" >"$PARTITION/former-is-wanted"
    rm -f "$PARTITION/renewal-under-way"
    sync --file-system "$PARTITION"
    echo "The former firmware is back. It is used from the next start on."
    ;;
  *)
    echo "usage: firmware renew | back" >&2
    exit 2
    ;;
esac
