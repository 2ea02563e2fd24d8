# Raspberry Pi 5. nixos-26.05's SD image knows nothing of it; nixos-hardware's module, which the
# flake adds, fills the firmware partition. The kernel stays nixpkgs' own, because the public
# binary cache has it, and the vendor's would be compiled for hours on the box.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
{
  imports = [
    "${modulesPath}/installer/sd-card/sd-image.nix"
    ./sd-card.nix
  ];

  image.baseName = "immich-appliance-rpi5";

  boot.kernelPackages = pkgs.linuxPackages_6_18;
  # The kernel and its device tree are of one generation: not the vendor's tree, which the firmware
  # partition has.
  boot.loader.generic-extlinux-compatible.useGenerationDeviceTree = true;
  boot.kernelParams = [ "console=tty0" ];

  hardware.raspberry-pi.firmware.uboot.enable = true;
  # Firmware and U-Boot take 60 MB with all device trees and overlays.
  sdImage.firmwareSize = lib.mkDefault 128;
  sdImage.populateRootCommands = ''
    mkdir -p ./files/boot
    ${config.boot.loader.generic-extlinux-compatible.populateCmd} -c ${config.system.build.toplevel} -d ./files/boot
  '';
}
