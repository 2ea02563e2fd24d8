# The appliance as one module: `services.immich-appliance`. Each file below holds one subject, its
# options beside what they do.
{ lib, ... }:
{
  imports = [
    ./tool.nix
    ./drive.nix
    ./immich.nix
    ./database.nix
    ./backup.nix
    ./notify.nix
    ./updates.nix
    ./assertions.nix
    ./runtime/postgresql.nix
    ./runtime/native.nix
    ./runtime/podman.nix
    ./remote/tailscale.nix
    ./remote/cloudflared.nix
    ./remote/caddy.nix
    ./machine/access.nix
    ./machine/console.nix
    ./machine/clock.nix
    ./machine/identity.nix
    ./machine/network.nix
    ./machine/sd-card.nix
    ./machine/trial.nix
    ./machine/watchdog.nix
  ];

  options.services.immich-appliance = {
    enable = lib.mkEnableOption "the photo server appliance: the drive, Immich, its backup and the `immich-appliance` command";

    dedicated = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether this machine is the photo server and nothing else, as the released images are. It is
        then named as the card says, or `immich`, and found by that name (`immich.local`), spares
        its SD card, restarts when it hangs,
        and its SSH server opens only once a key or a password of `access` is set. Otherwise the
        photo server is added to the machine and nothing else about it changes.
      '';
    };
  };
}
