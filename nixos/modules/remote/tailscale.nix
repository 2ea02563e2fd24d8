# The family's devices reach the box from anywhere, and nobody else does.
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
        A file with an auth key, with which the box joins the network by itself. Without it, run
        `sudo tailscale up` once and open the address it prints.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && tailscale.enable) {
    services.tailscale = {
      enable = true;
      openFirewall = true;
      inherit (tailscale) authKeyFile;
    };
    networking.firewall.interfaces.${config.services.tailscale.interfaceName}.allowedTCPPorts = [
      cfg.immich.port
    ];
  };
}
