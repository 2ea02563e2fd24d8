# What a person sees who plugs in a screen: where the photos are, and how to sign in. The text is
# written by `immich-appliance first-boot`, which knows whether anyone can.
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
    services.getty.helpLine = lib.mkDefault "";
    boot.kernelParams = [ "systemd.show_status=auto" ];
  };
}
