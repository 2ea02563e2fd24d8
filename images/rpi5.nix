# Raspberry Pi 5. nixpkgs' SD image knows nothing of it; nixos-hardware's module, which the flake
# adds, fills the firmware partition. The kernel stays nixpkgs' own, because the public binary cache
# has it, and the vendor's would be compiled for hours on the box.
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
  boot.kernelParams = [
    # The plug between the two HDMI sockets.
    "console=ttyAMA10,115200n8"
    "console=tty0"
  ];

  # Only the board's firmware knows which stepping of the chip it runs on, and picks the device tree
  # by its name: U-Boot hands that one on, and does not load one of its own.
  boot.loader.generic-extlinux-compatible.useGenerationDeviceTree = false;

  hardware.raspberry-pi = {
    firmware.uboot.enable = true;
    # Overlays of the vendor's device trees do not fit those of nixpkgs' kernel.
    configtxt.deviceTreeOverlays = lib.mkForce { };
  };

  sdImage = {
    # nixpkgs' kernel starts with its own device trees: under the names that the firmware knows.
    populateFirmwareCommands = lib.mkForce (
      lib.mkAfter ''
        trees=${config.hardware.deviceTree.package}/broadcom
        cp --remove-destination $trees/bcm2712-rpi-5-b.dtb firmware/bcm2712-rpi-5-b.dtb
        # Boards since 2024, with less of what a photo server does not need on the chip ("D0").
        cp --remove-destination $trees/bcm2712-d-rpi-5-b.dtb firmware/bcm2712-d-rpi-5-b.dtb
        cp --remove-destination $trees/bcm2712-d-rpi-5-b.dtb firmware/bcm2712d0-rpi-5-b.dtb
      ''
    );
    populateRootCommands = ''
      mkdir -p ./files/boot
      ${config.boot.loader.generic-extlinux-compatible.populateCmd} -c ${config.system.build.toplevel} -d ./files/boot
    '';
  };
}
