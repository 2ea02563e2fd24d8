# After a restart nothing of Immich runs, and the tool says that the drive is locked.
_: {
  script = ''
    immich.wait_for_unit("multi-user.target")
    create_drive()
    unlock()
    immich.shutdown()
    immich.start()
    immich.wait_for_unit("multi-user.target")
    immich.require_unit_state("immich-appliance.target", "inactive")
    for unit in IMMICH:
        assert not is_up(unit), unit
    immich.fail("mountpoint /mnt/immich_drive")
    status = immich.execute("immich-appliance --json status")[1]
    assert "locked" in status, status
  '';
}
