# Who opts out of encryption needs nobody after a restart.
_: {
  machine = {
    specialisation.named.configuration.services.immich-appliance.drive = {
      encryption = "none";
      uuid = "5a2f7c1e-0d3b-4c8e-9f61-2b7d4e8a9c10";
    };
  };

  script = ''
    immich.wait_for_unit("multi-user.target")
    tool("drive create /dev/vdb --encryption none --erase vdb")
    # The configuration names the drive by a number that the test can know beforehand.
    tool("lock")
    immich.succeed("tune2fs -U 5a2f7c1e-0d3b-4c8e-9f61-2b7d4e8a9c10 $(blkid -t TYPE=ext4 -o device | grep vdb)")
    immich.succeed("rm -rf /var/lib/immich-appliance")
    immich.succeed("/run/booted-system/specialisation/named/bin/switch-to-configuration test")
    immich.wait_until_succeeds("curl --fail --silent http://127.0.0.1:2283/api/server/config")
    for unit in IMMICH:
        assert is_up(unit), unit
  '';
}
