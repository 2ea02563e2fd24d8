# Your photo server. Every option: docs/reference/nixos-options.md of immich-appliance.
# After a change:  sudo nixos-rebuild switch --flake /etc/nixos#immich
{ appliance, ... }:
{
  # The board: rpi4, rpi5, or vm for any computer that boots by UEFI.
  imports = [ appliance.nixosModules.rpi4 ];
  nixpkgs.hostPlatform = "aarch64-linux";

  time.timeZone = "Europe/Berlin";

  services.immich-appliance = {
    # access.authorizedKeys = [ "ssh-ed25519 AAAA... laptop" ];
    # remote.tailscale.enable = true;
  };
}
