# The backup's policy. Where it goes is told to `immich-appliance backup init` and kept on the
# drive, because the address comes with secrets and has to travel with the photos.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) backup;
in
{
  options.services.immich-appliance.backup = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = ''
        Whether the backup runs by itself. While the drive is locked, or no repository was given to
        `immich-appliance backup init`, a run is skipped.
      '';
    };

    schedule = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "*-*-* 02:30:00";
      description = ''
        When it runs, as systemd's `OnCalendar=`. Without it, as the shipped timer says. A run that
        was missed is made up for.
      '';
    };

    scope = lib.mkOption {
      type = lib.types.enum [
        "everything"
        "essential"
      ];
      default = "everything";
      description = ''
        `essential` leaves out thumbnails and transcoded videos: a smaller backup, but after a
        recovery Immich makes them anew, which takes days on a small machine.
      '';
    };

    exclude = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "*.mov" ];
      description = "Glob patterns of what is left out.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.immich-appliance.settings.backup = {
      inherit (backup) scope;
      exclude = lib.mkIf (backup.exclude != [ ]) backup.exclude;
    };

    # The shipped timer belongs to the shipped target, so there is nothing to switch on. It is laid
    # over only where something was chosen.
    systemd.timers = lib.mkIf (!backup.enable || backup.schedule != null) {
      immich-appliance-backup = {
        inherit (backup) enable;
        timerConfig.OnCalendar = lib.mkIf (backup.schedule != null) [
          ""
          backup.schedule
        ];
      };
    };
  };
}
