# `nix flake check`: what needs no build first, then each promise in a virtual machine with the real
# Immich. The names are the promises. Nothing here needs a machine of another kind than `system`.
{
  lib,
  pkgs,
  self,
  system,
}:
let
  inherit (self) nixosModules;

  evaluated =
    part:
    import ./eval {
      inherit
        lib
        self
        nixosModules
        part
        ;
      inherit (self.lib) machine;
      evaluate = modules: lib.nixosSystem { inherit modules; };
    };
  boards = {
    x86_64-linux = [ "vm" ];
    aarch64-linux = [
      "rpi4"
      "rpi5"
      "vm-aarch64"
    ];
  };
  parts = [
    "choices"
    "sentences"
    "rendered"
  ]
  ++ boards.${system};
  machines = lib.filter (machine: machine.config.nixpkgs.hostPlatform.system == system) (
    lib.attrValues self.nixosConfigurations
  );

  promise = import ./promise.nix { inherit lib pkgs nixosModules; };
  promises = lib.genAttrs [
    "backup-timer-catches-up"
    "card-opens-ssh"
    "drive-without-encryption-starts-at-boot"
    "lock-stops-immich"
    "locked-after-boot"
    "recovers-from-s3"
    "stock-restic-opens-the-backup"
    "unlock-starts-immich"
    "unplugged-drive-stops-immich"
    "update-that-cuts-the-network-returns"
  ] (name: promise name ./${name}.nix);
in
promises
// lib.listToAttrs (
  map (
    part:
    lib.nameValuePair "evaluation-${part}" (
      pkgs.runCommand "evaluation-${part}" { broken = lib.concatLines (evaluated part); } ''
        if [ -n "$broken" ]; then
          printf %s "$broken" >&2
          exit 1
        fi
        touch $out
      ''
    )
  ) parts
)
// {
  package = pkgs.callPackage ../package.nix { };

  # Each machine's units are the files of systemd/, but for the command's path.
  units =
    pkgs.runCommand "units"
      {
        machines = map (machine: machine.config.environment.etc."systemd/system".source) machines;
      }
      ''
        compared=0
        for machine in $machines; do
          for shipped in $(cd ${../../dist/systemd} && find . -name '*.service' -o -name '*.timer' -o -name '*.target' -o -name '*.conf'); do
            sed 's|/nix/store/[^ ]*/bin/immich-appliance|/usr/bin/immich-appliance|' "$machine/$shipped" |
              diff - "${../../dist/systemd}/$shipped"
            compared=$((compared + 1))
          done
        done
        [ "$compared" -gt 0 ]
        touch $out
      '';

  # The tool reads the file that each machine gives it.
  configuration-files =
    pkgs.runCommand "configuration-files"
      {
        nativeBuildInputs = [ (pkgs.callPackage ../package.nix { }) ];
        files = map (
          machine: machine.config.environment.etc."immich-appliance/config.toml".source
        ) machines;
      }
      ''
        checked=0
        for file in $files; do
          immich-appliance --config "$file" config check
          checked=$((checked + 1))
        done
        [ "$checked" -gt 0 ]
        touch $out
      '';

  files =
    pkgs.runCommand "files"
      {
        nativeBuildInputs = [
          pkgs.deadnix
          pkgs.git
          pkgs.jq
          pkgs.minisign
          pkgs.nixfmt
          (pkgs.python3.withPackages (packages: [ packages.pyyaml ]))
          pkgs.shellcheck
        ];
        source = lib.fileset.toSource {
          root = ../..;
          fileset = lib.fileset.unions [
            ../../.github
            ../../CHANGELOG.md
            ../../Cargo.toml
            ../../flake.lock
            ../../flake.nix
            ../../images
            ../../nixos
            ../../scripts
            ../../dist/systemd
            ../../templates
          ];
        };
      }
      ''
        cp -r --no-preserve=mode "$source" work
        bash work/scripts/check-nix --files
        touch $out
      '';
}
