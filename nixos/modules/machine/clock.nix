# A Raspberry Pi has no clock of its own: it wakes up in the past. A backup that ran then would
# carry a wrong date, and its timer would think that it ran long ago.
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
    services.timesyncd.enable = lib.mkDefault true;

    # systemd orders calendar timers behind time-sync.target; this makes that target wait for a
    # time server, though not for ever: a box without internet still backs up to a local drive.
    systemd.additionalUpstreamSystemUnits = [ "systemd-time-wait-sync.service" ];
    systemd.services.systemd-time-wait-sync = {
      # Not of sysinit.target: without internet that would hold up the whole boot.
      wantedBy = [ "timers.target" ];
      serviceConfig.TimeoutStartSec = "15min";
    };
  };
}
