# shellcheck shell=bash
# For the tests of the shell scripts of the Nix side: a folder instead of a box, and programs that
# note how they were called.
set -euo pipefail
# shellcheck disable=SC2034 # used by the tests
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
mkdir "$work/bin"
export PATH=$work/bin:$PATH

# A program that notes its arguments in $work/calls and then does what standard input says.
program() {
  {
    printf '#!/bin/bash\necho "%s $*" >>"%s"\n' "$1" "$work/calls"
    cat
  } >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}
promise() { # name, condition as a command
  local name=$1
  shift
  if "$@"; then echo "ok: $name"; else
    echo "FAILED: $name" >&2
    failed=1
  fi
}
not() { ! "$@"; }
called() { grep -q -- "$1" "$work/calls" 2>/dev/null; }
finish() {
  [ "$failed" -eq 0 ] || echo "$0 failed" >&2
  exit "$failed"
}
