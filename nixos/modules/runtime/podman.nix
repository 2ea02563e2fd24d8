# Immich's own container images. The units keep the names they have natively, so that the command,
# the drop-ins bound to the drive and the backup do not notice the difference.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) database immich;
  pins = lib.importJSON ../../container-images.json;
  pinned = pin: "${pin.image}:${pin.tag}@${pin.digest}";

  image =
    default:
    lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching ".+@sha256:[0-9a-f]{64}");
      inherit default;
      description = "The image that `runtime = \"podman\"` runs, pinned by digest.";
    };

  uid = toString config.users.users.immich.uid;
  gid = toString config.users.groups.immich.gid;
  postgresId = "${toString config.ids.uids.postgres}:${toString config.ids.gids.postgres}";

  # PostgreSQL asks who is at the other end of its socket, and looks the number up in its own
  # /etc/passwd: it needs this machine's.
  names = [
    "/etc/passwd:/etc/passwd:ro"
    "/etc/group:/etc/group:ro"
  ];

  hba = pkgs.writeText "pg_hba.conf" ''
    local all all peer
  '';
  postgresqlConf = pkgs.writeText "postgresql.conf" ''
    hba_file = '${hba}'
    listen_addresses = '''
    unix_socket_directories = '/run/postgresql'
    shared_preload_libraries = 'vchord.so'
    search_path = '"$user", public'
    log_destination = 'stderr'
  '';

  immichConfig = (pkgs.formats.json { }).generate "immich.json" immich.config;

  # The unit's own limits hold for the container only if the container lives in the unit.
  inUnit = [
    "--cgroups=split"
    "--security-opt=no-new-privileges"
    "--cap-drop=all"
  ];
  service =
    { memory, cpu }:
    {
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
in
{
  options.services.immich-appliance.immich.images = {
    server = image (pinned pins.server);
    machineLearning = image (pinned pins.machineLearning);
    database = image (
      if pins ? "database${database.major}" then pinned pins."database${database.major}" else null
    );
  };

  config = lib.mkIf (cfg.enable && immich.runtime == "podman") {
    virtualisation.oci-containers = {
      backend = "podman";
      containers = {
        immich-postgresql = {
          serviceName = "postgresql";
          image = toString immich.images.database;
          autoStart = false;
          user = postgresId;
          entrypoint = "/usr/local/bin/docker-entrypoint.sh";
          cmd = [
            "postgres"
            "-c"
            "config_file=${postgresqlConf}"
          ];
          environment = {
            # The image insists on a password or on this; there is no host line and no network.
            POSTGRES_HOST_AUTH_METHOD = "trust";
            POSTGRES_INITDB_ARGS = "--auth-local=peer --encoding=UTF8 --data-checksums";
          };
          volumes = names ++ [
            "${database.folder}:${database.folder}"
            "/run/postgresql:/run/postgresql"
            "${postgresqlConf}:${postgresqlConf}:ro"
            "${hba}:${hba}:ro"
          ];
          extraOptions = inUnit ++ [
            "--network=none"
            "--shm-size=128m"
            "--stop-timeout=110"
            # Its value comes from the unit, where the command may have named another cluster.
            "--env=PGDATA"
          ];
        };

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
            "/etc/localtime:/etc/localtime:ro"
          ]
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

    # The image's socket stands for the one NixOS would open, and belongs to the same users.
    users.users.postgres = {
      isSystemUser = true;
      uid = config.ids.uids.postgres;
      group = "postgres";
      description = "PostgreSQL server user";
    };
    users.groups.postgres.gid = config.ids.gids.postgres;

    services.redis.servers.immich = {
      enable = true;
      # The container reaches the socket as this user.
      user = "immich";
      group = "immich";
      save = [ ];
    };

    systemd.tmpfiles.settings.immich-appliance = {
      "/run/postgresql".d = {
        user = "postgres";
        group = "postgres";
        mode = "0755";
      };
      "/var/cache/immich".d = {
        user = "immich";
        group = "immich";
        mode = "0700";
      };
    };

    systemd.services = {
      redis-immich.wantedBy = lib.mkForce [ ];
      postgresql = lib.mkMerge [
        {
          environment.PGDATA = database.directory;
          preStart = lib.mkBefore database.refuseOtherMajor;
          serviceConfig.Delegate = true;
        }
      ];
      # As on NixOS: the role, the database and the extensions, which the role may not make itself.
      postgresql-setup = {
        description = "PostgreSQL Setup Scripts";
        requires = [ "postgresql.service" ];
        after = [ "postgresql.service" ];
        path = [ database.package ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          User = "postgres";
          Group = "postgres";
          TimeoutStartSec = 300;
        };
        script = lib.readFile ./podman-database-setup.sh;
      };
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
    };
  };
}
