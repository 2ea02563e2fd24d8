# The command, its configuration file and the units that come with it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  toml = pkgs.formats.toml { };
in
{
  options.services.immich-appliance = {
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ../package.nix {
        postgresql = config.services.immich-appliance.database.package;
      };
      defaultText = lib.literalMD "built from this repository";
      description = "The package of the `immich-appliance` command.";
    };

    settings = lib.mkOption {
      type = lib.types.submodule { freeformType = toml.type; };
      default = { };
      example = {
        drive.unlock_tries = 5;
      };
      description = ''
        What is written to `/etc/immich-appliance/config.toml`; the keys are those of the command's
        configuration reference. The module writes a few itself, from its other options.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc."immich-appliance/config.toml".source =
      toml.generate "immich-appliance-config.toml" cfg.settings;

    # The units of this repository's dist/systemd/: the target, the backup and its timer, and the drop-ins
    # that bind PostgreSQL, Redis and Immich to the mounted drive.
    systemd.packages = [ cfg.package ];

    # Who signs in at a terminal sees how the box is and what comes next.
    environment.interactiveShellInit = lib.mkIf cfg.dedicated (
      lib.readFile ../../dist/profile.d/immich-appliance.sh
    );
  };
}
