# The system updates itself from the flake it was made of.
{
  config,
  lib,
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
        Whether the machine updates itself. It is off until you choose, because a Raspberry Pi
        compiles for an hour what no binary cache of yours has.
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
    system.autoUpgrade = {
      enable = true;
      flake = "${updates.flake}#${config.networking.hostName}";
      dates = updates.schedule;
      randomizedDelaySec = "30min";
      allowReboot = updates.reboot;
    };
    systemd.services.nixos-upgrade.preStart = lib.mkIf (lib.hasPrefix "/" updates.flake) ''
      nix flake update --flake ${lib.escapeShellArg updates.flake}
    '';
    nix.settings.experimental-features = [
      "nix-command"
      "flakes"
    ];
  };
}
