# A backup is a plain restic repository: without this project, one photo comes back identical.
_: {
  script = ''
    immich.wait_for_unit("multi-user.target")
    create_drive()
    unlock()
    sign_up_and_upload(2)
    immich.succeed("head -c 24 /dev/urandom | base64 >/root/repository-password")
    tool("backup init /srv/backup --repository-password-file /root/repository-password")
    tool("backup run")

    restic = "restic --repo /srv/backup --password-file /root/repository-password"
    immich.succeed(f"{restic} check --read-data")
    immich.succeed(f"{restic} restore latest --target /root/restored")
    before = originals()
    after = immich.succeed(
        "cd /root/restored/mnt/immich_drive/immich_data && find upload library -name '*.jpg'"
        " -exec sha256sum {} + | sort"
    )
    assert before == after, (before, after)
  '';
}
