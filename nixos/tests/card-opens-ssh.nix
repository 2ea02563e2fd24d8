# Without a key nobody comes in; with one on the card its owner does, and by key only.
{ pkgs, ... }:
{
  machine.services.immich-appliance.access.cardFolder = "/boot";
  otherNodes.laptop.environment.systemPackages = [ pkgs.openssh ];

  script = ''
    start_all()
    immich.wait_for_unit("multi-user.target")
    immich.fail("systemctl is-active --quiet sshd.service")
    immich.succeed("grep -q 'Nobody can sign in yet' /run/issue.d/immich-appliance.issue")

    laptop.wait_for_unit("multi-user.target")
    laptop.succeed("mkdir -p -m 0700 /root/.ssh && ssh-keygen -t ed25519 -N ''' -f /root/.ssh/id_ed25519")
    key = laptop.succeed("cat /root/.ssh/id_ed25519.pub").strip()
    immich.succeed(f"mkdir -p /boot && printf 'ssh_keys = [\"%s\"]\\n' '{key}' >/boot/appliance.toml")
    immich.shutdown()
    immich.start()
    immich.wait_for_open_port(22)

    ssh = "ssh -o StrictHostKeyChecking=no -o BatchMode=yes"
    laptop.succeed(f"{ssh} admin@immich sudo true")
    laptop.fail(f"{ssh} -o PubkeyAuthentication=no admin@immich true")
  '';
}
