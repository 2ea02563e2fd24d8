# Immich's own container images, beside the PostgreSQL and Redis of NixOS. The units keep the names
# they have natively, so that the command, the drop-ins bound to the drive and the backup do not
# notice the difference.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) drive immich;
  pins = lib.importJSON ../../container-images.json;
  pinned = pin: "${pin.image}:${pin.tag}@${pin.digest}";

  image =
    default:
    lib.mkOption {
      type = lib.types.strMatching ".+@sha256:[0-9a-f]{64}";
      inherit default;
      description = "The image that `runtime = \"podman\"` runs, pinned by digest.";
    };

  uid = toString config.users.users.immich.uid;
  gid = toString config.users.groups.immich.gid;

  immichConfig = (pkgs.formats.json { }).generate "immich.json" immich.config;

  # Gigabytes, so they lie on the drive and not on the card; and apart from the containers that
  # somebody else may run on this machine.
  storage = (pkgs.formats.toml { }).generate "immich-appliance-storage.conf" {
    storage = {
      driver = "overlay";
      graphroot = "${drive.mountPoint}/containers";
      runroot = "/run/immich-appliance-containers";
      # A mount of its own below the drive's would keep the drive from being locked.
      options.overlay.skip_mount_home = "true";
    };
  };

  # The unit's own limits hold for the container only if the container lives in the unit.
  inUnit = [
    "--cgroups=split"
    "--security-opt=no-new-privileges"
    "--cap-drop=all"
  ];
  service =
    { memory, cpu }:
    {
      environment.CONTAINERS_STORAGE_CONF = "${storage}";
      serviceConfig = {
        Delegate = true;
        MemoryMax = lib.mkIf (memory != null) memory;
        CPUQuota = lib.mkIf (cpu != null) cpu;
      };
    };
  afterDatabase = {
    requires = [
      "postgresql-setup.service"
      "redis-immich.service"
    ];
    after = [
      "postgresql-setup.service"
      "redis-immich.service"
    ];
  };

  # As services.immich does natively; an index made by an older VectorChord is made anew.
  extensions = pkgs.writeText "immich-extensions.sql" (
    ''
      \set ON_ERROR_STOP on
      SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vchord'), ''') AS before \gset
    ''
    +
      lib.concatMapStrings
        (name: ''
          CREATE EXTENSION IF NOT EXISTS "${name}";
          ALTER EXTENSION "${name}" UPDATE;
        '')
        [
          "unaccent"
          "uuid-ossp"
          "cube"
          "earthdistance"
          "pg_trgm"
          "vector"
          "vchord"
        ]
    + ''
      ALTER SCHEMA public OWNER TO immich;
      SELECT extversion AS after FROM pg_extension WHERE extname = 'vchord' \gset
      SELECT :'before' NOT IN (''', :'after') AS updated \gset
      \if :updated
        REINDEX INDEX face_index;
        REINDEX INDEX clip_index;
      \endif
    ''
  );
in
{
  options.services.immich-appliance.immich.images = {
    server = image (pinned pins.server);
    machineLearning = image (pinned pins.machineLearning);
  };

  config = lib.mkIf (cfg.enable && immich.runtime == "podman") {
    virtualisation.oci-containers = {
      backend = "podman";
      containers = {
        immich-machine-learning = lib.mkIf immich.machineLearning.here {
          serviceName = "immich-machine-learning";
          image = immich.images.machineLearning;
          autoStart = false;
          user = "${uid}:${gid}";
          environment = {
            IMMICH_HOST = "127.0.0.1";
            IMMICH_PORT = "3003";
            MACHINE_LEARNING_CACHE_FOLDER = "/cache";
          };
          volumes = [ "/var/cache/immich:/cache" ];
          extraOptions = inUnit ++ [ "--network=host" ];
        };

        immich-server = {
          serviceName = "immich-server";
          image = immich.images.server;
          autoStart = false;
          # PostgreSQL asks the kernel who is at the other end of its socket: this number.
          user = "${uid}:${gid}";
          environment = {
            # The media lie at the same path as natively: the database holds absolute paths.
            IMMICH_MEDIA_LOCATION = immich.mediaFolder;
            IMMICH_HOST = immich.address;
            IMMICH_PORT = toString immich.port;
            IMMICH_MACHINE_LEARNING_URL = lib.mkDefault "http://127.0.0.1:3003";
            DB_URL = "postgresql://immich@/immich?host=/run/postgresql";
            REDIS_SOCKET = config.services.redis.servers.immich.unixSocket;
          }
          // lib.optionalAttrs (immich.config != { }) { IMMICH_CONFIG_FILE = "${immichConfig}"; }
          // immich.environment;
          volumes = [
            "${immich.mediaFolder}:${immich.mediaFolder}"
            "/run/postgresql:/run/postgresql"
            "/run/redis-immich:/run/redis-immich"
          ]
          # Otherwise there may be no such file, and the container would not start.
          ++ lib.optional (cfg.dedicated || config.time.timeZone != null) "/etc/localtime:/etc/localtime:ro"
          ++ lib.optional (immich.config != { }) "${immichConfig}:${immichConfig}:ro";
          extraOptions =
            inUnit
            ++ [ "--network=host" ]
            ++ map (device: "--device=${device}") immich.transcodingDevices
            ++ lib.optionals (immich.transcodingDevices != [ ]) [
              "--group-add=${toString config.ids.gids.render}"
              "--group-add=${toString config.ids.gids.video}"
            ];
        };
      };
    };

    # The first start downloads the images.
    services.immich-appliance.settings.services.start_timeout_seconds = 3600;

    services.postgresql = {
      enable = true;
      ensureDatabases = [ "immich" ];
      ensureUsers = [
        {
          name = "immich";
          ensureDBOwnership = true;
          ensureClauses.login = true;
        }
      ];
      extensions = packages: [
        packages.pgvector
        packages.vectorchord
      ];
      settings = {
        search_path = "\"$user\", public";
        shared_preload_libraries = [ "vchord.so" ];
      };
    };

    services.redis.servers.immich = {
      enable = true;
      # The container reaches the socket as this user.
      user = "immich";
      group = "immich";
      save = [ ];
    };

    systemd.tmpfiles.settings.immich-appliance."/var/cache/immich".d = {
      user = "immich";
      group = "immich";
      mode = "0700";
    };

    systemd.services = {
      # The container has these folders from its start on: another one in their place, after a
      # restart, it would not see.
      postgresql.serviceConfig.RuntimeDirectoryPreserve = "restart";
      redis-immich = {
        wantedBy = lib.mkForce [ ];
        serviceConfig.RuntimeDirectoryPreserve = "restart";
      };
      postgresql-setup.postStart = "psql --no-psqlrc -d immich -f ${extensions}";
      immich-machine-learning = lib.mkIf immich.machineLearning.here (
        lib.mkMerge [
          (service immich.machineLearning.limits)
          { serviceConfig.OOMScoreAdjust = 500; }
        ]
      );
      immich-server = lib.mkMerge [
        (service immich.limits)
        afterDatabase
      ];

      # Images of releases gone by. What runs is kept; after a step back, podman fetches anew.
      immich-appliance-prune = {
        description = "Remove container images that Immich no longer uses";
        after = [ "immich-server.service" ];
        unitConfig.ConditionPathIsMountPoint = drive.mountPoint;
        environment.CONTAINERS_STORAGE_CONF = "${storage}";
        path = [ config.virtualisation.podman.package ];
        script = "podman image prune --all --force --filter until=720h";
        serviceConfig.Type = "oneshot";
      };
    };
    systemd.timers.immich-appliance-prune = {
      description = "Remove old container images once a week";
      wantedBy = [ "immich-appliance.target" ];
      partOf = [ "immich-appliance.target" ];
      timerConfig = {
        OnCalendar = "weekly";
        RandomizedDelaySec = "6h";
      };
    };
  };
}
