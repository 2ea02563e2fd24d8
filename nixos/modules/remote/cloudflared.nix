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

  config = lib.mkIf (cfg.enable && cloudflared.enable) {
    services.cloudflared = {
      enable = true;
      inherit (cloudflared) package;
      tunnels.immich-appliance = {
        inherit (cloudflared) tokenFile;
      };
    };

    # With Immich, on the mounted drive, and no longer than that.
    systemd.services.cloudflared-tunnel-immich-appliance = {
      wantedBy = lib.mkForce [ "immich-appliance.target" ];
      partOf = [ "immich-appliance.target" ];
      bindsTo = [ "mnt-immich_drive.mount" ];
      after = [
        "mnt-immich_drive.mount"
        "immich-server.service"
      ];
      unitConfig.AssertPathIsMountPoint = cfg.drive.mountPoint;
      serviceConfig = {
        RestartSec = 10;
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
      # The package is updated with the box, and nobody asks for its figures.
      environment = {
        NO_AUTOUPDATE = "true";
        TUNNEL_METRICS = "127.0.0.1:0";
      };
    };
  };
}
