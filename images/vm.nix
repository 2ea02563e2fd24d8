# A virtual machine, or any computer that boots by UEFI from this disk.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
{
  imports = [ "${modulesPath}/profiles/qemu-guest.nix" ];

  services.immich-appliance = {
    enable = lib.mkDefault true;
    dedicated = lib.mkDefault true;
    # The card may bring a key. Until then, tailscaled waits and talks to nobody.
    remote.tailscale.enable = lib.mkDefault true;
    access.cardFolder = lib.mkDefault "/boot";
  };

  boot.loader.systemd-boot = {
    enable = true;
    configurationLimit = lib.mkDefault 5;
  };
  boot.growPartition = true;
  boot.kernelParams = [
    "console=tty0"
    "console=${if pkgs.stdenv.hostPlatform.isAarch64 then "ttyAMA0" else "ttyS0"},115200"
  ];
  boot.initrd.availableKernelModules = [
    "ahci"
    "nvme"
    "sd_mod"
    "uas"
    "usb_storage"
    "xhci_pci"
  ];

  fileSystems = {
    "/" = {
      device = "/dev/disk/by-label/nixos";
      fsType = "ext4";
      autoResize = true;
    };
    "/boot" = {
      device = "/dev/disk/by-label/ESP";
      fsType = "vfat";
      options = [
        "noatime"
        "umask=0077"
      ];
    };
  };

  system.stateVersion = lib.mkDefault "26.05";

  system.build.diskImage = import "${modulesPath}/../lib/make-disk-image.nix" {
    inherit config lib pkgs;
    name = "immich-appliance-vm";
    # Compressed: as it is, it would be larger than a release may hold.
    format = "qcow2-compressed";
    partitionTableType = "efi";
    diskSize = "auto";
    additionalSpace = "2G";
    copyChannel = false;
  };

  # `nix run .#demo`: the same machine in a window, without an image, and with a drive to create.
  virtualisation.vmVariant = {
    virtualisation = {
      memorySize = 4096;
      cores = 2;
      graphics = false;
      emptyDiskImages = [ 4096 ];
      forwardPorts = [
        {
          from = "host";
          host.port = 2283;
          guest.port = config.services.immich-appliance.immich.port;
        }
      ];
    };
    # A machine that lives for an hour on one's own computer, and is reached from there only.
    services.getty.autologinUser = config.services.immich-appliance.access.user;
  };
}
