# The modules this flake offers. A user's flake takes the one of its board; `default` alone is for
# a NixOS machine that is already there.
{ nixos-hardware }:
let
  default = ./modules;
in
{
  inherit default;
  rpi4.imports = [
    default
    ../images/rpi4.nix
  ];
  rpi5.imports = [
    default
    nixos-hardware.nixosModules.raspberry-pi-5
    ../images/rpi5.nix
  ];
  vm.imports = [
    default
    ../images/vm.nix
  ];
}
