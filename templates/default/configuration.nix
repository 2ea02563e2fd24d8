# Your photo server. Every option: docs/reference/nixos-options.md of immich-appliance.
# After a change:  sudo nixos-rebuild switch --flake /etc/nixos#immich
{
  nixpkgs.hostPlatform = "aarch64-linux";
  time.timeZone = "Europe/Berlin";

  services.immich-appliance = {
    # access.authorizedKeys = [ "ssh-ed25519 AAAA... laptop" ];
    # remote.tailscale.enable = true;
  };
}
