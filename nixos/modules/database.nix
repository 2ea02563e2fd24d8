# PostgreSQL on the drive. No password: Immich and the command reach it by its socket, and
# PostgreSQL asks the kernel who they are.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) database;
in
{
  options.services.immich-appliance.database = {
    major = lib.mkOption {
      type = lib.types.enum [
        "15"
        "16"
        "17"
      ];
      default = "17";
      description = ''
        PostgreSQL's major version. A new cluster lies in `postgres/<major>` on the drive; one of
        another version is not converted but refused, with a sentence that says so. Set the version
        of a drive that was made elsewhere here, to take it over.
      '';
    };

    package = lib.mkOption {
      type = lib.types.package;
      internal = true;
      readOnly = true;
      default = pkgs."postgresql_${database.major}";
    };

    folder = lib.mkOption {
      type = lib.types.path;
      internal = true;
      readOnly = true;
      default = "${cfg.drive.mountPoint}/postgres";
    };

    directory = lib.mkOption {
      type = lib.types.path;
      internal = true;
      readOnly = true;
      default = "${database.folder}/${database.major}";
    };

    refuseOtherMajor = lib.mkOption {
      type = lib.types.lines;
      internal = true;
      readOnly = true;
      default = ''
        if [ -s "$PGDATA/PG_VERSION" ] && [ "$(cat "$PGDATA/PG_VERSION")" != ${database.major} ]; then
          echo "The database in $PGDATA was made by PostgreSQL $(cat "$PGDATA/PG_VERSION"), and this system runs ${database.major}." >&2
          echo "Set services.immich-appliance.database.major = \"$(cat "$PGDATA/PG_VERSION")\" to go on with it." >&2
          exit 1
        fi
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    services.immich-appliance.settings.database.bin_directory = "${database.package}/bin";
  };
}
