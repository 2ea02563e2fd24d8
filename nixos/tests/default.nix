# `nix flake check`: what needs no build first, then each promise in a virtual machine with the real
# Immich. The names are the promises.
{
  lib,
  pkgs,
  nixosModules,
  nixosConfigurations,
}:
let
  broken = import ./eval {
    inherit lib nixosModules;
    everywhere = true;
    evaluate = modules: lib.nixosSystem { inherit modules; };
  };

  promise = import ./promise.nix { inherit lib pkgs nixosModules; };
  promises = lib.genAttrs [
    "backup-timer-catches-up"
    "drive-without-encryption-starts-at-boot"
    "first-boot-file-opens-ssh"
    "lock-stops-immich"
    "locked-after-boot"
    "recovers-from-s3"
    "stock-restic-opens-the-backup"
    "unlock-starts-immich"
    "unplugged-drive-stops-immich"
  ] (name: promise name ./${name}.nix);
in
promises
// {
  package = pkgs.callPackage ../package.nix { };

  evaluation = pkgs.runCommand "evaluation" { broken = lib.concatLines broken; } ''
    if [ -n "$broken" ]; then
      printf %s "$broken" >&2
      exit 1
    fi
    touch $out
  '';

  # Each machine's units are the files of systemd/, but for the command's path.
  units =
    pkgs.runCommand "units"
      {
        machines = lib.mapAttrsToList (
          _: machine: machine.config.environment.etc."systemd/system".source
        ) nixosConfigurations;
      }
      ''
        for machine in $machines; do
          for shipped in $(cd ${../../systemd} && find . -name '*.service' -o -name '*.timer' -o -name '*.target' -o -name '*.conf'); do
            sed 's|/nix/store/[^ ]*/bin/immich-appliance|/usr/bin/immich-appliance|' "$machine/$shipped" |
              diff - "${../../systemd}/$shipped"
          done
        done
        touch $out
      '';

  # The tool reads the file that each machine gives it.
  configuration-files =
    pkgs.runCommand "configuration-files"
      {
        nativeBuildInputs = [ (pkgs.callPackage ../package.nix { }) ];
        files = lib.mapAttrsToList (
          _: machine: machine.config.environment.etc."immich-appliance/config.toml".source
        ) nixosConfigurations;
      }
      ''
        for file in $files; do
          immich-appliance --config "$file" config check
        done
        touch $out
      '';

  files =
    pkgs.runCommand "files"
      {
        nativeBuildInputs = [
          pkgs.deadnix
          pkgs.jq
          pkgs.nixfmt
          pkgs.shellcheck
        ];
        source = lib.fileset.toSource {
          root = ../..;
          fileset = lib.fileset.unions [
            ../../flake.nix
            ../../flake.lock
            ../../images
            ../../nixos
            ../../scripts/check-nix
            ../../templates
          ];
        };
      }
      ''
        cp -r --no-preserve=mode "$source" work
        bash work/scripts/check-nix
        touch $out
      '';
}
