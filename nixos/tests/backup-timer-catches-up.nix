# The box was off when the backup was due: the timer makes up for it once the drive is open.
_: {
  # The shipped timer spreads its runs over half an hour.
  machine.systemd.timers.immich-appliance-backup.timerConfig.RandomizedDelaySec = 0;

  script = ''
    immich.wait_for_unit("multi-user.target")
    create_drive()
    unlock()
    sign_up_and_upload(1)
    immich.succeed("head -c 24 /dev/urandom | base64 >/root/repository-password")
    tool("backup init /srv/backup --repository-password-file /root/repository-password")
    tool("lock")

    # As if the timer had last run three days ago, and the box had slept since.
    immich.succeed("touch -d '3 days ago' /var/lib/systemd/timers/stamp-immich-appliance-backup.timer")
    unlock()
    immich.wait_until_succeeds(
        "restic --repo /srv/backup --password-file /root/repository-password snapshots --json"
        " | jq --exit-status 'length == 1'"
    )
  '';
}
