# Raspberry Pi 4: nixpkgs' own SD image (firmware, U-Boot) with nixpkgs' own kernel, which the
# public binary cache has.
{ modulesPath, ... }:
{
  imports = [
    "${modulesPath}/installer/sd-card/sd-image-aarch64.nix"
    ./sd-card.nix
  ];

  image.baseName = "immich-appliance-rpi4";
}
