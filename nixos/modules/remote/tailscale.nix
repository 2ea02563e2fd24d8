# The family's devices reach the box from anywhere, and nobody else does. The command shares Immich
# with them: no port of it is opened for that.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg.remote) tailscale;
  state = "/var/lib/immich-appliance";
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

    magicDns = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether the box itself looks names up through the Tailscale network (MagicDNS). It needs
        none of them; and where Tailscale's resolver fails, no backup would find its server.
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
      # Until the box joins a network it talks to nobody.
      disableUpstreamLogging = true;
      extraSetFlags = [ "--accept-dns=${lib.boolToString tailscale.magicDns}" ];
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
      unitConfig = {
        ConditionPathExists = [
          "|${state}/tailscale-auth-key"
          "|${state}/tailscale-key-refused"
        ];
        # Tried until the internet is there.
        StartLimitIntervalSec = 0;
      };
      path = [
        cfg.package
        config.services.tailscale.package
        pkgs.curl
      ];
      environment = {
        STATE_FOLDER = state;
        ISSUE_FILE = "/run/issue.d/immich-appliance-tailnet.issue";
      };
      script = lib.readFile ./join.sh;
      serviceConfig = {
        Type = "oneshot";
        Restart = "on-failure";
        RestartSec = 60;
        RestartSteps = 6;
        RestartMaxDelaySec = "1h";
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
