# Raspberry Pi 4: nixpkgs' own SD image (firmware, U-Boot) with nixpkgs' own kernel, which the
# public binary cache has.
{ lib, modulesPath, ... }:
{
  imports = [
    "${modulesPath}/installer/sd-card/sd-image-aarch64.nix"
    ./sd-card.nix
  ];

  image.baseName = "immich-appliance-rpi4";

  # The serial console on the pins: the small UART, which nixpkgs' kernel calls ttyS1. The screen
  # stays the last, where messages go to.
  boot.kernelParams = lib.mkBefore [ "console=ttyS1,115200n8" ];
}
