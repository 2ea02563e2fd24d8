# What writes all day wears an SD card out. The photos are on the drive; the card keeps the system.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
in
{
  config = lib.mkIf (cfg.enable && cfg.dedicated) {
    fileSystems."/".options = [ "noatime" ];

    # Swapping to memory that is compressed, never to the card.
    zramSwap.enable = lib.mkDefault true;

    boot.tmp = {
      useTmpfs = lib.mkDefault true;
      tmpfsSize = lib.mkDefault "25%";
    };

    # As drop-ins, which systemd itself reads: the names of NixOS' options for them change.
    environment.etc = {
      "systemd/journald.conf.d/immich-appliance.conf".text = ''
        [Journal]
        SystemMaxUse=100M
        RuntimeMaxUse=50M
        SyncIntervalSec=15min
      '';
      # A dump of memory would also hold what the drive's encryption protects.
      "systemd/coredump.conf.d/immich-appliance.conf".text = ''
        [Coredump]
        Storage=none
        ProcessSizeMax=0
      '';
    };

    nix.gc = {
      automatic = lib.mkDefault true;
      dates = lib.mkDefault "monthly";
      options = lib.mkDefault "--delete-older-than 60d";
    };
    documentation.nixos.enable = lib.mkDefault false;
  };
}
