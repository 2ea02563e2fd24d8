# One command and one passphrase: Immich answers, from the drive and without a database password.
_: {
  script = ''
    immich.wait_for_unit("multi-user.target")
    create_drive()
    unlock()
    for unit in IMMICH:
        assert is_up(unit), unit
    immich.succeed("curl --fail --silent http://127.0.0.1:2283/api/server/config")
    immich.succeed("test -e /mnt/immich_drive/postgres/17/PG_VERSION")
    immich.succeed("test -e /mnt/immich_drive/immich_data/upload/.immich")
    sign_up_and_upload(3)
    assert photos() == 3
    # Done already is done.
    unlock()
  '';
}
