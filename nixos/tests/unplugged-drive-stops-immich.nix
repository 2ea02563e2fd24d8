# The drive is pulled while Immich runs: everything stops, nothing is written to the SD card under
# the mount point, and plugging it in again with one command brings all of it back.
{ pkgs, ... }:
{
  machine.virtualisation = {
    emptyDiskImages = [ ];
    qemu.options = [
      "-device qemu-xhci,id=xhci"
      "-drive if=none,id=photos,file=photos.qcow2,format=qcow2"
      "-device usb-storage,bus=xhci.0,drive=photos,id=photosusb"
    ];
  };

  script = ''
    import subprocess

    subprocess.run(
        ["${pkgs.qemu}/bin/qemu-img", "create", "-f", "qcow2", "photos.qcow2", "2G"],
        cwd=immich.state_dir,
        check=True,
    )
    immich.start()
    immich.wait_for_unit("multi-user.target")
    immich.wait_for_file("/dev/sda")
    create_drive("/dev/sda")
    unlock()
    sign_up_and_upload(2)
    immich.succeed("sync")

    immich.send_monitor_command("device_del photosusb")
    for unit in IMMICH:
        immich.wait_until_fails(f"systemctl is-active --quiet {unit}")
    immich.wait_until_fails("mountpoint /mnt/immich_drive")
    assert immich.succeed("ls -A /mnt/immich_drive").strip() == ""

    immich.send_monitor_command("device_add usb-storage,bus=xhci.0,drive=photos,id=photosusb")
    immich.wait_until_succeeds("immich-appliance --json drive list | grep -q crypto_LUKS || ls /dev/sd?")
    unlock()
    sign_in()
    assert photos() == 2
  '';
}
