# A machine of one board. The released images and the flake that lies on each box are made by this
# one function, so that `nixos-rebuild switch` on a box that was just flashed builds what runs there.
{
  lib,
  self,
  nixosModules,
}:
let
  boards = {
    rpi4 = "aarch64-linux";
    rpi5 = "aarch64-linux";
    vm = "x86_64-linux";
  };
in
{
  # One of those in ./module-list.nix.
  board,
  # Only for `vm`, which is there for both.
  system ? boards.${board},
  # The owner's own settings.
  modules ? [ ],
}:
lib.nixosSystem {
  modules = [
    nixosModules.${board}
    (import ./own-flake.nix { inherit self board system; })
    { nixpkgs.hostPlatform = lib.mkDefault system; }
  ]
  ++ modules;
}
