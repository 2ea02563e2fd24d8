{
  # Where you cloned it from, for example github:OWNER/immich-appliance.
  inputs.appliance.url = "github:OWNER/immich-appliance";
  outputs =
    { appliance, ... }:
    {
      nixosConfigurations.immich = appliance.lib.nixosSystem {
        modules = [
          appliance.nixosModules.rpi4
          ./configuration.nix
        ];
      };
    };
}
