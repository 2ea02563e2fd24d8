# The family's devices reach the box from anywhere, and nobody else does. The command shares Immich
# with them: no port of it is opened for that.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg.remote) tailscale;
in
{
  options.services.immich-appliance.remote.tailscale = {
    enable = lib.mkEnableOption "reaching the box through a Tailscale network";

    authKeyFile = lib.mkOption {
      type = lib.types.nullOr (
        lib.types.pathWith {
          inStore = false;
          absolute = true;
        }
      );
      default = null;
      example = "/etc/immich-appliance/tailscale-key";
      description = ''
        A file with an auth key, with which the box joins the network by itself at boot. Without it,
        run `sudo immich-appliance remote enroll` once and open the link it shows.
      '';
    };

    loginServer = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching "https?://[^ ]+");
      default = null;
      example = "https://headscale.example.org";
      description = "Another control server than Tailscale's, for joining with `authKeyFile`.";
    };
  };

  config = lib.mkIf (cfg.enable && tailscale.enable) {
    services.tailscale = {
      enable = true;
      openFirewall = true;
    };
    # The key that came on the card joins once, and is removed.
    systemd.services.immich-appliance-tailnet = lib.mkIf (tailscale.authKeyFile == null) {
      description = "Join the Tailscale network with the card's key";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "immich-appliance-first-boot.service"
        "network-online.target"
        "tailscaled.service"
      ];
      unitConfig.ConditionPathExists = "/var/lib/immich-appliance/tailscale-auth-key";
      script = ''
        cd /var/lib/immich-appliance
        set -- --timeout 120 --auth-key-file tailscale-auth-key
        if [ -s tailscale-login-server ]; then
          set -- "$@" --login-server "$(cat tailscale-login-server)"
        fi
        ${lib.getExe cfg.package} --no-input remote enroll "$@"
        rm -f tailscale-auth-key
      '';
      serviceConfig = {
        Type = "oneshot";
        Restart = "on-failure";
        RestartSec = 60;
      };
    };

    systemd.services.immich-appliance-enroll = lib.mkIf (tailscale.authKeyFile != null) {
      description = "Join the Tailscale network, and share Immich with it";
      wantedBy = [ "multi-user.target" ];
      wants = [
        "tailscaled.service"
        "network-online.target"
      ];
      after = [
        "tailscaled.service"
        "network-online.target"
      ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        LoadCredential = [ "immich-appliance.tailscale-auth-key:${tailscale.authKeyFile}" ];
        ExecStart = lib.escapeShellArgs (
          [
            (lib.getExe cfg.package)
            "--no-input"
            "remote"
            "enroll"
            "--timeout"
            "120"
          ]
          ++ lib.optionals (tailscale.loginServer != null) [
            "--login-server"
            tailscale.loginServer
          ]
        );
        Restart = "on-failure";
        RestartSec = 60;
      };
    };
  };
}
