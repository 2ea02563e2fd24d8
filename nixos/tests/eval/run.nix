# The same without a flake, for trees that are already here, a part at a time: an evaluation keeps
# what it has seen in memory, and all of it in one process takes many gigabytes.
#   nix-instantiate --eval --strict --arg nixpkgs PATH --arg nixos-hardware PATH --argstr part rpi4 nixos/tests/eval/run.nix
{
  nixpkgs,
  nixos-hardware,
  part,
  everywhere ? false,
}:
let
  lib = import (nixpkgs + "/lib");
  evaluate =
    arguments:
    import (nixpkgs + "/nixos/lib/eval-config.nix") (
      {
        inherit lib;
        system = null;
      }
      // arguments
    );
  nixosModules = import ../../module-list.nix {
    nixos-hardware.nixosModules.raspberry-pi-5 = nixos-hardware + "/raspberry-pi/5";
  };
  # What Nix says of a flake at a commit.
  self = {
    outPath = "${builtins.path {
      path = ../../../templates;
      name = "source";
    }}";
    rev = "1111111111111111111111111111111111111111";
    narHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    lastModified = 1790000000;
    inherit nixosModules;
  };
in
import ./. {
  inherit
    lib
    nixosModules
    self
    everywhere
    part
    ;
  machine = import ../../machine.nix {
    lib = lib // {
      nixosSystem = evaluate;
    };
    inherit self nixosModules;
  };
  evaluate = modules: evaluate { inherit modules; };
}
