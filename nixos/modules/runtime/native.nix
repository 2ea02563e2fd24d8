# Immich and PostgreSQL as packaged by NixOS, made to wait for a drive that is locked at boot.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) database immich;

  # NixOS starts these at boot. Here immich-appliance.target does, once the drive is open; and
  # immich-appliance.target nobody starts but the command.
  notAtBoot.wantedBy = lib.mkForce [ ];
  limits =
    { memory, cpu }:
    {
      MemoryMax = lib.mkIf (memory != null) memory;
      CPUQuota = lib.mkIf (cpu != null) cpu;
    };

  # A drive taken over from elsewhere may hold its cluster directly in postgres/. NixOS' scripts
  # know one fixed folder, so they get a link that leads to the cluster in use.
  clusterLink = "/run/postgresql/cluster";
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

    services.postgresql = {
      inherit (database) package;
      dataDir = clusterLink;
      initdbArgs = [
        "--encoding=UTF8"
        "--data-checksums"
      ];
    };

    systemd.targets.postgresql = notAtBoot;
    systemd.services = {
      postgresql = {
        # The drop-in of this repository lets the command name another cluster.
        environment.PGDATA = lib.mkForce database.directory;
        preStart = lib.mkBefore (
          database.refuseOtherMajor
          + ''
            ln -sfn "$PGDATA" ${clusterLink}
          ''
        );
        serviceConfig.ReadWritePaths = lib.mkForce [ database.folder ];
      };
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
