# A public address without a port opened at home.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg.remote) cloudflared;
in
{
  options.services.immich-appliance.remote.cloudflared = {
    enable = lib.mkEnableOption "a public address through a Cloudflare tunnel";

    package = lib.mkPackageOption pkgs "cloudflared" { };

    tokenFile = lib.mkOption {
      type = lib.types.pathWith {
        inStore = false;
        absolute = true;
      };
      default = "${cfg.drive.mountPoint}/secrets/cloudflared-token";
      defaultText = lib.literalMD "on the encrypted drive, `secrets/cloudflared-token`";
      description = ''
        A file with the tunnel's token, by default on the encrypted drive; the tunnel is there only
        while Immich is. Where it leads is set in Cloudflare's dashboard: to `http://127.0.0.1:`
        and Immich's port. Cloudflare reads what passes through, and its free plan refuses uploads
        of more than 100 MB: prefer Tailscale for the family's own phones.
      '';
    };
  };

  # Not services.cloudflared: it runs tunnels whose keys and rules lie on this machine, at boot.
  config = lib.mkIf (cfg.enable && cloudflared.enable) {
    systemd.services.immich-appliance-cloudflared = {
      description = "Immich through a Cloudflare tunnel";
      # With Immich, on the mounted drive, and no longer than that.
      wantedBy = [ "immich-appliance.target" ];
      partOf = [ "immich-appliance.target" ];
      bindsTo = [ "mnt-immich_drive.mount" ];
      wants = [ "network-online.target" ];
      after = [
        "mnt-immich_drive.mount"
        "network-online.target"
        "immich-server.service"
      ];
      unitConfig.AssertPathIsMountPoint = cfg.drive.mountPoint;
      serviceConfig = {
        ExecStart = "${lib.getExe cloudflared.package} --no-autoupdate --metrics 127.0.0.1:0 tunnel run --token-file \${CREDENTIALS_DIRECTORY}/token";
        LoadCredential = [ "token:${cloudflared.tokenFile}" ];
        Restart = "on-failure";
        RestartSec = 10;
        DynamicUser = true;
        CapabilityBoundingSet = "";
        NoNewPrivileges = true;
        PrivateDevices = true;
        ProtectHome = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectControlGroups = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
          "AF_NETLINK"
        ];
        SystemCallArchitectures = "native";
      };
    };
  };
}
