# A box without a screen restarts itself when it hangs. The drive is locked then, but SSH answers.
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
    # The Raspberry Pi's watchdog counts to 15 seconds at most.
    environment.etc."systemd/system.conf.d/immich-appliance.conf".text = ''
      [Manager]
      RuntimeWatchdogSec=14s
    '';
    boot.kernel.sysctl."kernel.panic" = lib.mkDefault 10;
  };
}
