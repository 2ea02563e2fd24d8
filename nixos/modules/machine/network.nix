# The box is found by name, and shows nothing but SSH, Immich and its name.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
in
{
  config = lib.mkIf (cfg.enable && cfg.dedicated) {
    networking.firewall.enable = lib.mkDefault true;

    services.avahi = {
      enable = lib.mkDefault true;
      nssmdns4 = lib.mkDefault true;
      openFirewall = lib.mkDefault true;
      publish = {
        enable = lib.mkDefault true;
        addresses = lib.mkDefault true;
      };
    };
  };
}
