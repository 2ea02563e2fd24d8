# The SD images are the same derivations on both systems, so that everyone gets the released bytes:
# building them on x86_64 needs a builder for aarch64 (docs/explanation/nixos.md).
{
  pkgs,
  system,
  nixosConfigurations,
}:
let
  disk = nixosConfigurations.${if system == "aarch64-linux" then "vm-aarch64" else "vm"}.config;
in
rec {
  default = immich-appliance;
  immich-appliance = pkgs.callPackage ./package.nix { };
  # The PC's program, which needs nothing of the machine it runs on.
  immich-appliance-image = pkgs.pkgsStatic.callPackage ./unwrapped.nix {
    program = "immich-appliance-image";
  };
  disk-vm = disk.system.build.diskImage;
  sd-image-rpi4 = nixosConfigurations.rpi4.config.system.build.sdImage;
  sd-image-rpi5 = nixosConfigurations.rpi5.config.system.build.sdImage;
  vm = disk.system.build.vm;
}
