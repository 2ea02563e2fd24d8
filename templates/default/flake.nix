{
  inputs.appliance.url = "github:OWNER/immich-appliance"; # where you found it

  outputs = inputs: {
    nixosConfigurations.immich = inputs.appliance.lib.nixosSystem {
      modules = [ ./configuration.nix ];
      specialArgs = inputs;
    };
  };
}
