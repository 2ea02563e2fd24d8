# An update that stops the SSH server, or takes the network away, returns without anybody's help;
# one that the box is well under is kept.
{ lib, ... }:
{
  machine = {
    services.immich-appliance = {
      access.authorizedKeys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFnZmqM0Yh3b0ZkXnT9zq7q0Wq1m0Jx0m0m0m0m0m0m0 test"
      ];
      updates.trial.minutes = 3;
    };
    specialisation = {
      good.configuration.environment.etc.updated.text = "yes";
      bad.configuration.services.openssh.enable = lib.mkForce false;
    };
  };

  script = ''
    immich.wait_for_unit("sshd.service")
    former = immich.succeed("readlink -f /run/current-system").strip()
    at_boot = "readlink -f /nix/var/nix/profiles/system"
    immich.succeed(f"nix-env --profile /nix/var/nix/profiles/system --set {former}")
    bad = immich.succeed("readlink -f /run/current-system/specialisation/bad").strip()
    good = immich.succeed("readlink -f /run/current-system/specialisation/good").strip()

    immich.succeed(f"immich-appliance-trial begin {bad}")
    immich.fail("systemctl is-active --quiet sshd.service")
    immich.wait_until_succeeds("systemctl is-active --quiet sshd.service", timeout=600)
    assert immich.succeed("readlink -f /run/current-system").strip() == former
    assert immich.succeed(at_boot).strip() == former
    immich.fail(f"immich-appliance-trial begin {bad}")

    immich.succeed(f"immich-appliance-trial begin {good}")
    immich.wait_until_fails("test -e /var/lib/immich-appliance-trial/former", timeout=600)
    immich.succeed("test -e /etc/updated")
    assert immich.succeed(at_boot).strip() == good
  '';
}
