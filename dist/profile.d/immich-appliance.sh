# shellcheck shell=sh
# For /etc/profile.d: how the box is and what comes next, to whoever signs in at a terminal.
case $- in
*i*)
  if [ -t 1 ] && command -v immich-appliance >/dev/null; then
    if [ "$(id -u)" = 0 ]; then
      immich-appliance --no-input greeting 2>/dev/null
    else
      sudo -n immich-appliance --no-input greeting 2>/dev/null
    fi || echo 'How the box is: immich-appliance status'
  fi
  ;;
esac
