# What both Raspberry Pis have in common: an SD card with a firmware partition, which U-Boot turns
# into a choice of NixOS generations, so that an update that does not boot can be left.
{
  lib,
  modulesPath,
  ...
}:
{
  imports = [ ./firmware.nix ];

  # The installer's tools and its file systems (ZFS among them) have no place on the box.
  disabledModules = [ "${modulesPath}/profiles/base.nix" ];

  services.immich-appliance = {
    enable = lib.mkDefault true;
    dedicated = lib.mkDefault true;
    # The card may bring a key. Until then, tailscaled waits and talks to nobody.
    remote.tailscale.enable = lib.mkDefault true;
  };

  boot.loader.grub.enable = false;
  boot.loader.generic-extlinux-compatible = {
    enable = true;
    configurationLimit = lib.mkDefault 5;
  };

  # The card's settings lie here; and the firmware, which nothing writes in daily use.
  fileSystems."/boot/firmware".options = lib.mkForce [
    "nofail"
    "noatime"
    "umask=0077"
  ];

  # Firmware and U-Boot take up to 60 MB, and lie there twice once they were renewed.
  sdImage.firmwareSize = lib.mkDefault 256;

  hardware.enableRedistributableFirmware = true;
  system.stateVersion = lib.mkDefault "26.05";
}
