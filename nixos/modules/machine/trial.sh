# shellcheck shell=bash
# A new system is on trial until the box was seen to be well under it; otherwise the former one comes
# back by itself, without a screen.
#
#   trial.sh begin SYSTEM   make SYSTEM run, while the former one stays the one that boots
#   trial.sh check          by a timer and at boot: keep the new system, or go back
#   trial.sh keep           keep it now
#   trial.sh back           go back now
#
# While a trial is under way $TRIAL_FOLDER holds `former`, `new` and `until` (seconds since 1970).
# `rejected` holds the last system that was gone back from. Names come from the environment (see
# trial.nix), so that a test can run it in a folder.
set -eu

say() { echo "$*" >&2; }
former() { cat "$TRIAL_FOLDER/former"; }
new() { cat "$TRIAL_FOLDER/new"; }
# A file is there whole or not at all.
write() {
  printf '%s\n' "$2" >"$TRIAL_FOLDER/.$1"
  sync "$TRIAL_FOLDER/.$1"
  mv "$TRIAL_FOLDER/.$1" "$TRIAL_FOLDER/$1"
  sync "$TRIAL_FOLDER"
}

# Each of these is what a person far away needs to help the box.
well() {
  local unit
  for unit in $UNITS; do
    # One that has nothing to do, such as an SSH server without a key, is not unwell.
    # One that was never looked at is: something before it failed.
    case $(systemctl show --property=ConditionTimestampMonotonic,ConditionResult "$unit" | sort | tr '\n' ' ') in
      *"ConditionTimestampMonotonic=0 "*) ;;
      "ConditionResult=no "*) continue ;;
    esac
    if ! systemctl is-active --quiet "$unit"; then
      say "$unit does not run"
      return 1
    fi
  done
  # An address that came or went with the router, not with the update, is not our matter: without
  # a network before, none is asked for.
  if [ -e "$TRIAL_FOLDER/had-network" ] && [ -z "$(ip route show default; ip -6 route show default)" ]; then
    say "no network"
    return 1
  fi
  if ! $HEALTH; then
    say "$HEALTH failed"
    return 1
  fi
}

forget() {
  rm -f "$TRIAL_FOLDER/new" "$TRIAL_FOLDER/until" "$TRIAL_FOLDER/well" "$TRIAL_FOLDER/had-network"
  # Last: without it there is no trial.
  rm -f "$TRIAL_FOLDER/former"
  sync "$TRIAL_FOLDER"
  systemctl --no-block stop "$TIMER"
}

keep() {
  # Made the one that boots only now.
  "$(new)/bin/switch-to-configuration" boot
  forget
  say "The new system is kept."
}

back() {
  local to
  to=$(former)
  say "The new system did not come up well. The former one comes back: $to"
  write rejected "$(new)"
  nix-env --profile "$PROFILE" --set "$to"
  # The one that boots first: a power cut after it leads there as well.
  "$to/bin/switch-to-configuration" boot
  if [ "$(readlink -f "$RUNNING_SYSTEM")" != "$to" ]; then
    "$to/bin/switch-to-configuration" test || say "It is complete only after a restart."
  fi
  forget
}

mkdir -p "$TRIAL_FOLDER"
case ${1:-} in
  begin)
    system=$(readlink -f "$2")
    if [ -e "$TRIAL_FOLDER/former" ]; then
      say "A trial is under way already."
      exit 1
    fi
    if [ "$(cat "$TRIAL_FOLDER/rejected" 2>/dev/null)" = "$system" ]; then
      say "This system was tried, and the box had to go back from it. It is not tried again."
      exit 1
    fi
    running=$(readlink -f "$RUNNING_SYSTEM")
    [ "$running" != "$system" ] || exit 0
    if [ -n "$(ip route show default; ip -6 route show default)" ]; then
      : >"$TRIAL_FOLDER/had-network"
    else
      rm -f "$TRIAL_FOLDER/had-network"
    fi
    write new "$system"
    write until "$(($(date +%s) + TRIAL_SECONDS))"
    # Last: from here on there is a trial, and a power cut ends it in the former system.
    write former "$running"
    systemctl start "$TIMER"
    nix-env --profile "$PROFILE" --set "$system"
    # Not made the one that boots: a box that hangs and restarts comes up in the former system. A
    # unit that fails is judged below, with everything else.
    "$system/bin/switch-to-configuration" test || say "Something failed to start. The trial will show."
    ;;
  check)
    [ -e "$TRIAL_FOLDER/former" ] || exit 0
    if [ "$(readlink -f "$RUNNING_SYSTEM")" = "$(former)" ]; then
      # It restarted during the trial.
      back
      exit 3
    elif well; then
      count=$(($(cat "$TRIAL_FOLDER/well" 2>/dev/null || echo 0) + 1))
      if [ "$count" -ge 3 ]; then keep; else write well "$count"; fi
    else
      rm -f "$TRIAL_FOLDER/well"
      if [ "$(date +%s)" -ge "$(cat "$TRIAL_FOLDER/until" 2>/dev/null || echo 0)" ]; then
        back
        # A failure of the unit, so that somebody is told.
        exit 3
      fi
    fi
    ;;
  keep) if [ -e "$TRIAL_FOLDER/former" ]; then keep; fi ;;
  back) if [ -e "$TRIAL_FOLDER/former" ]; then back; fi ;;
  *)
    say "usage: trial begin SYSTEM | check | keep | back"
    exit 2
    ;;
esac
