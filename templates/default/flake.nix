{
  inputs.appliance.url = "github:OWNER/immich-appliance/stable"; # where you found it

  outputs =
    { appliance, ... }:
    {
      nixosConfigurations.immich = appliance.lib.machine {
        # The board: rpi4, rpi5, or vm for any computer that boots by UEFI.
        board = "rpi4";
        modules = [ ./configuration.nix ];
      };
    };
}
