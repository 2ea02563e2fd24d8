# The machines that are released as images: the module with nothing but its defaults.
{ lib, nixosModules }:
let
  machine =
    system: module:
    lib.nixosSystem {
      modules = [
        module
        ../images/release.nix
        { nixpkgs.hostPlatform = lib.mkDefault system; }
      ];
    };
in
{
  rpi4 = machine "aarch64-linux" nixosModules.rpi4;
  rpi5 = machine "aarch64-linux" nixosModules.rpi5;
  vm = machine "x86_64-linux" nixosModules.vm;
  # The same machine for a computer with an Arm processor.
  vm-aarch64 = machine "aarch64-linux" nixosModules.vm;
}
