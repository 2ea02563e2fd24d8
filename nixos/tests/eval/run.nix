# The same without a flake, for trees that are already here:
#   nix-instantiate --eval --strict --arg nixpkgs PATH --arg nixos-hardware PATH nixos/tests/eval/run.nix
{
  nixpkgs,
  nixos-hardware,
  everywhere ? false,
}:
let
  lib = import (nixpkgs + "/lib");
in
import ./. {
  inherit lib everywhere;
  nixosModules = import ../../module-list.nix {
    nixos-hardware.nixosModules.raspberry-pi-5 = nixos-hardware + "/raspberry-pi/5";
  };
  evaluate =
    modules:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit lib modules;
      system = null;
    };
}
