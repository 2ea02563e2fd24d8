# An update that does not come up returns by itself. Until the new system was seen to be well, the
# former one stays the one that boots: a box that hangs is restarted by its watchdog, and is back.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg.updates) trial;

  command = pkgs.writeShellApplication {
    name = "immich-appliance-trial";
    runtimeInputs = [
      config.nix.package
      config.systemd.package
      pkgs.coreutils
      pkgs.iproute2
    ];
    text = ''
      export TRIAL_FOLDER=/var/lib/immich-appliance-trial
      export PROFILE=/nix/var/nix/profiles/system
      export RUNNING_SYSTEM=/run/current-system
      export TIMER=immich-appliance-trial.timer
      export TRIAL_SECONDS=${toString (trial.minutes * 60)}
      export UNITS=${lib.escapeShellArg (lib.concatStringsSep " " trial.units)}
      export HEALTH=${lib.escapeShellArg trial.health}
    ''
    + lib.readFile ./trial.sh;
  };
in
{
  options.services.immich-appliance.updates.trial = {
    minutes = lib.mkOption {
      type = lib.types.ints.between 3 600;
      default = 15;
      description = ''
        How long a new system may take until the box is well under it: the units below run, there is
        a network if there was one, and `health` succeeds. Otherwise the former system comes back.
      '';
    };

    units = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [
        "sshd.service"
        "systemd-journald.service"
      ]
      ++ lib.optional config.networking.networkmanager.enable "NetworkManager.service"
      ++ lib.optional cfg.remote.tailscale.enable "tailscaled.service";
      defaultText = lib.literalMD "what a person far away needs to help: SSH, the network, Tailscale";
      description = "The units that have to run.";
    };

    health = lib.mkOption {
      type = lib.types.str;
      default = "${lib.getExe cfg.package} --version";
      defaultText = lib.literalMD "whether the command starts at all";
      description = "A command that succeeds when the box is well.";
    };

    command = lib.mkOption {
      type = lib.types.package;
      internal = true;
      readOnly = true;
      default = command;
    };
  };

  config = lib.mkIf (cfg.enable && cfg.dedicated) {
    environment.systemPackages = [ command ];

    systemd.services.immich-appliance-trial = {
      description = "Keep the new system, or go back to the former one";
      # It switches systems itself: neither is it stopped by that nor waited for.
      restartIfChanged = false;
      stopIfChanged = false;
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${lib.getExe command} check";
      };
    };
    systemd.timers.immich-appliance-trial = {
      description = "Look after a new system every minute";
      # Only while there is one: at boot, or started by `begin`.
      wantedBy = [ "timers.target" ];
      unitConfig.ConditionPathExists = "/var/lib/immich-appliance-trial/former";
      timerConfig = {
        OnActiveSec = "1min";
        OnUnitInactiveSec = "1min";
        AccuracySec = "5s";
      };
    };
  };
}
