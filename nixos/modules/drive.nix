# The drive. It is unlocked by a person after boot; without encryption, by a unit at boot.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) drive;
in
{
  options.services.immich-appliance.drive = {
    encryption = lib.mkOption {
      type = lib.types.enum [
        "luks2"
        "none"
      ];
      default = "luks2";
      description = ''
        `luks2`: the drive is locked after every boot, until a person runs
        `immich-appliance unlock --start`. `none`: it is mounted and Immich started at boot, and
        whoever takes the drive can read it.
      '';
    };

    uuid = lib.mkOption {
      type = lib.types.nullOr (
        lib.types.strMatching "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
      );
      default = null;
      example = "5a2f7c1e-0d3b-4c8e-9f61-2b7d4e8a9c10";
      description = ''
        The UUID of the one drive to be used, as `immich-appliance drive list` shows it. Without it,
        the drive that was used first is remembered.
      '';
    };

    mountPoint = lib.mkOption {
      type = lib.types.path;
      default = "/mnt/immich_drive";
      # The shipped units are bound to it.
      internal = true;
      readOnly = true;
    };
  };

  config = lib.mkIf cfg.enable {
    services.immich-appliance.settings.drive = {
      inherit (drive) encryption;
      uuid = lib.mkIf (drive.uuid != null) drive.uuid;
    };

    # The shipped unit; NixOS does not follow [Install] in packages.
    systemd.targets.multi-user.wants = lib.mkIf (drive.encryption == "none") [
      "immich-appliance-unlock.service"
    ];
  };
}
