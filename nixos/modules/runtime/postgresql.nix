# PostgreSQL as packaged by NixOS, for both runtimes: one server, one VectorChord and one C library,
# whichever way Immich itself is run. It waits for a drive that is locked at boot.
{
  config,
  lib,
  options,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) database;

  # A drive taken over from elsewhere may hold its cluster directly in postgres/. NixOS' scripts
  # know one fixed folder, so they get a link that leads to the cluster in use.
  clusterLink = "/run/postgresql/cluster";

  # NixOS has one PostgreSQL. On a machine that uses it already it must stay where it is.
  ours = [
    "services/web-apps/immich.nix"
    "runtime/podman.nix"
  ];
  others = lib.filter (
    definition: definition.value && !lib.any (file: lib.hasSuffix file definition.file) ours
  ) options.services.postgresql.enable.definitionsWithLocations;
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.dedicated || others == [ ];
        message = "This machine has a PostgreSQL of its own (${
          lib.concatMapStringsSep ", " (definition: toString definition.file) others
        }), and the photo server would move all of it to a drive that is locked after every start. Give the photo server a machine of its own, or a NixOS container.";
      }
    ];

    services.postgresql = {
      inherit (database) package;
      dataDir = clusterLink;
      initdbArgs = [
        "--encoding=UTF8"
        "--data-checksums"
      ];
    };

    # NixOS starts it at boot. Here immich-appliance.target does, once the drive is open.
    systemd.targets.postgresql.wantedBy = lib.mkForce [ ];
    systemd.services.postgresql = {
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
  };
}
