# Your photo server. Every option: docs/reference/nixos-options.md of immich-appliance.
# After a change:  sudo nixos-rebuild switch --flake /etc/nixos#immich
#
# Name, time zone and locale are those of the card's appliance.toml and need no line here. To set
# them here instead:
#   networking.hostName = "photos";
#   time.timeZone = "Europe/Lisbon";
{
  services.immich-appliance = {
    # access.authorizedKeys = [ "ssh-ed25519 AAAA... laptop" ];
    # remote.tailscale.enable = true;
  };
}
