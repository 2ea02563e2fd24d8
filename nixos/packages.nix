# The SD images are the same derivations on both systems, so that everyone gets the released bytes:
# building them on x86_64 needs a builder for aarch64 (docs/explanation/nixos.md).
{
  pkgs,
  system,
  nixosConfigurations,
}:
let
  vm = nixosConfigurations.${if system == "aarch64-linux" then "vm-aarch64" else "vm"}.config;
in
{
  default = pkgs.callPackage ./package.nix { };
  immich-appliance = pkgs.callPackage ./package.nix { };
  immich-appliance-image = vm.system.build.diskImage;
  sd-image-rpi4 = nixosConfigurations.rpi4.config.system.build.sdImage;
  sd-image-rpi5 = nixosConfigurations.rpi5.config.system.build.sdImage;
  vm = vm.system.build.vm;
}
