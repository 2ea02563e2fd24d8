# The system updates itself from the flake it was made of.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) updates;
in
{
  options.services.immich-appliance.updates = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether the machine updates itself. It is off until you choose, because Immich cannot go back
        to an older version of itself once its database was migrated.
      '';
    };

    flake = lib.mkOption {
      type = lib.types.str;
      default = "/etc/nixos";
      example = "github:you/your-photo-server";
      description = ''
        The flake of this machine. When it lies on the machine, its inputs are brought up to date
        first; a flake elsewhere is taken as it is.
      '';
    };

    attribute = lib.mkOption {
      type = lib.types.str;
      default = "immich";
      description = "The machine's name in the flake's `nixosConfigurations`, whatever its own name is.";
    };

    schedule = lib.mkOption {
      type = lib.types.str;
      default = "Sun 04:40";
      description = "When, as systemd's `OnCalendar=`.";
    };

    reboot = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether it restarts when a new kernel needs it. An encrypted drive is locked after a
        restart, so this is for drives without encryption.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && updates.enable) {
    # Not system.autoUpgrade: it makes a system the one that boots before anyone has seen it run.
    systemd.services.immich-appliance-update = {
      description = "Update the machine";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      # It switches systems itself.
      restartIfChanged = false;
      stopIfChanged = false;
      path = [
        config.nix.package
        pkgs.coreutils
        pkgs.gitMinimal
      ]
      ++ lib.optional cfg.dedicated updates.trial.command;
      environment = {
        HOME = "/root";
        FLAKE = updates.flake;
        ATTRIBUTE = updates.attribute;
        STATE_FOLDER = "/var/lib/immich-appliance-update";
        TRIAL = if cfg.dedicated then "yes" else "no";
      };
      script = lib.readFile ./update.sh;
      serviceConfig.Type = "oneshot";
    };
    systemd.timers.immich-appliance-update = {
      description = "Update the machine";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = updates.schedule;
        RandomizedDelaySec = "30min";
        Persistent = true;
      };
    };

    # After the trial, not after the update: a system that is not kept needs no restart.
    systemd.services.immich-appliance-restart = lib.mkIf updates.reboot {
      description = "Restart for a new kernel";
      unitConfig.ConditionPathExists = "!/var/lib/immich-appliance-trial/former";
      startAt = "04:00";
      script = ''
        running=$(readlink /run/booted-system/{kernel,kernel-modules,initrd})
        wanted=$(readlink /nix/var/nix/profiles/system/{kernel,kernel-modules,initrd})
        [ "$running" = "$wanted" ] || systemctl --no-block reboot
      '';
      serviceConfig.Type = "oneshot";
    };

    nix.settings.experimental-features = [
      "nix-command"
      "flakes"
    ];
  };
}
