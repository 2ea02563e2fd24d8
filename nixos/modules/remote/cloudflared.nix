# A public address without a port opened at home.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg.remote) cloudflared;
in
{
  options.services.immich-appliance.remote.cloudflared = {
    enable = lib.mkEnableOption "a public address through a Cloudflare tunnel";

    tokenFile = lib.mkOption {
      type = lib.types.nullOr (
        lib.types.pathWith {
          inStore = false;
          absolute = true;
        }
      );
      default = null;
      example = "/etc/immich-appliance/cloudflared-token";
      description = ''
        A file with the tunnel's token. Where the tunnel leads is set in Cloudflare's dashboard: to
        `http://localhost:` and Immich's port. Cloudflare reads what passes through, and its free
        plan refuses uploads of more than 100 MB: prefer Tailscale for the family's own phones.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cloudflared.enable && cloudflared.tokenFile != null) {
    services.cloudflared = {
      enable = true;
      tunnels.immich-appliance = {
        inherit (cloudflared) tokenFile;
        default = "http_status:404";
      };
    };
  };
}
