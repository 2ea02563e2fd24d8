# HTTPS on the box itself.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg.remote) caddy;
  local = lib.hasSuffix ".local" caddy.domain;
  tailnet = lib.hasSuffix ".ts.net" caddy.domain;
in
{
  options.services.immich-appliance.remote.caddy = {
    enable = lib.mkEnableOption "HTTPS, by the Caddy web server on the box";

    domain = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching "[a-z0-9-]+(\\.[a-z0-9-]+)+");
      default = null;
      example = "photos.example.org";
      description = ''
        The name that Immich is opened by. For a public one, ports 80 and 443 have to lead to the
        box; for one that ends in `.ts.net`, Tailscale gives the certificate; for one that ends in
        `.local`, Caddy makes one itself, which every device has to be told to trust.
      '';
    };

    email = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "family@example.org";
      description = "Where the certificate authority writes to when something is wrong.";
    };
  };

  config = lib.mkIf (cfg.enable && caddy.enable && caddy.domain != null) {
    services.caddy = {
      enable = true;
      openFirewall = true;
      inherit (caddy) email;
      virtualHosts.${caddy.domain}.extraConfig = ''
        ${lib.optionalString local "tls internal"}
        reverse_proxy 127.0.0.1:${toString cfg.immich.port}
      '';
    };
    services.tailscale.permitCertUid = lib.mkIf tailnet config.services.caddy.user;
  };
}
