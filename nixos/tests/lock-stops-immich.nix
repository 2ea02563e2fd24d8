# Locking stops Immich first, and leaves no way to the photos.
_: {
  script = ''
    immich.wait_for_unit("multi-user.target")
    create_drive()
    unlock()
    sign_up_and_upload(1)
    tool("lock")
    for unit in IMMICH:
        assert not is_up(unit), unit
    immich.fail("mountpoint /mnt/immich_drive")
    immich.fail("test -e /dev/mapper/immich_drive")
    unlock()
    sign_in()
    assert photos() == 1
  '';
}
