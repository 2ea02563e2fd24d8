# The drive is lost. On a blank one, everything comes back from an S3 bucket: the same photos byte
# for byte, and the login works.
{ pkgs, ... }:
{
  machine.virtualisation.emptyDiskImages = [
    2048
    2048
  ];

  otherNodes.s3 = {
    networking.firewall.allowedTCPPorts = [ 8080 ];
    systemd.services.s3 = {
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      serviceConfig.ExecStartPre = "${pkgs.coreutils}/bin/mkdir -p /srv/s3/photos";
      serviceConfig.ExecStart = "${pkgs.rclone}/bin/rclone serve s3 --addr :8080 --auth-key KEYID,SECRETKEY /srv/s3";
    };
  };

  script = ''
    start_all()
    s3.wait_for_open_port(8080)
    immich.wait_for_unit("multi-user.target")
    create_drive("/dev/vdb")
    unlock()
    sign_up_and_upload(5)
    before = originals()

    immich.succeed("printf SECRETKEY >/root/secret")
    immich.succeed("head -c 24 /dev/urandom | base64 >/root/repository-password")
    access = (
        "--access-key-id KEYID --secret-access-key-file /root/secret"
        " --repository-password-file /root/repository-password"
    )
    tool(f"backup init s3:http://s3:8080/photos {access}")
    tool("backup run")
    tool("lock")
    immich.succeed("dd if=/dev/zero of=/dev/vdb bs=1M count=64 conv=fsync")

    tool(
        f"recover --drive /dev/vdc --erase vdc --from s3:http://s3:8080/photos {access}"
        " --passphrase-file /root/passphrase --recovery-key-file /root/recovery-key-2"
    )
    sign_in()
    assert photos() == 5
    after = originals()
    assert before == after, (before, after)
  '';
}
