# Immich as packaged by NixOS, made to wait for a drive that is locked at boot.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) immich;

  # NixOS starts these at boot. Here immich-appliance.target does, once the drive is open; and
  # immich-appliance.target nobody starts but the command.
  notAtBoot.wantedBy = lib.mkForce [ ];
  limits =
    { memory, cpu }:
    {
      MemoryMax = lib.mkIf (memory != null) memory;
      CPUQuota = lib.mkIf (cpu != null) cpu;
    };
in
{
  config = lib.mkIf (cfg.enable && immich.runtime == "native") {
    services.immich = {
      enable = true;
      host = immich.address;
      inherit (immich) port;
      mediaLocation = immich.mediaFolder;
      machine-learning.enable = immich.machineLearning.here;
      accelerationDevices = immich.transcodingDevices;
      environment = lib.mapAttrs (_: lib.mkForce) immich.environment;
      settings = lib.mkIf (immich.config != { }) immich.config;
    };

    systemd.services = {
      redis-immich = notAtBoot;
      immich-machine-learning = lib.mkIf immich.machineLearning.here (
        notAtBoot
        // {
          serviceConfig = limits immich.machineLearning.limits // {
            # Faces can be found again tomorrow: when memory runs out, this goes first.
            OOMScoreAdjust = 500;
          };
        }
      );
      immich-server = notAtBoot // {
        serviceConfig = limits immich.limits;
      };
    };

    # Job queues may be lost at a restart; writing them to the SD card every minute is worse.
    services.redis.servers.immich.save = [ ];
  };
}
