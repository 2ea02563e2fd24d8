# The firmware partition (the board's own boot code, U-Boot, device trees) is written when an image
# is made. This keeps it in step with the system, with the very files that a new image would have.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  # The image's own commands write into ./firmware.
  folder = pkgs.runCommand "firmware-partition" { } ''
    mkdir firmware
    ${config.sdImage.populateFirmwareCommands}
    cp -r firmware $out
  '';
  command = pkgs.writeShellApplication {
    name = "immich-appliance-firmware";
    runtimeInputs = [
      pkgs.coreutils
      pkgs.diffutils
      pkgs.findutils
      pkgs.util-linux
    ];
    text = ''
      export PARTITION=/boot/firmware FIRMWARE=${folder} IS_MOUNTED="mountpoint --quiet"
    ''
    + lib.readFile ./firmware.sh;
  };
in
{
  environment.systemPackages = [ command ];

  # Not while a new system is on trial: the former one may come back.
  systemd.services.immich-appliance-firmware = {
    description = "Bring the firmware partition in step with the system";
    wantedBy = [ "multi-user.target" ];
    after = [
      "boot-firmware.mount"
      "immich-appliance-first-boot.service"
    ];
    unitConfig = {
      ConditionPathExists = "!/var/lib/immich-appliance-trial/former";
      WantsMountsFor = [ "/boot/firmware" ];
    };
    serviceConfig = {
      Type = "oneshot";
      ExecStart = "${lib.getExe command} renew";
    };
  };
}
