{
  description = "A photo server that a family owns: Immich on an encrypted drive, backed up and recoverable";

  inputs = {
    # Until nixos-26.11 is there: docs/decisions/nixos.md.
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    nixos-hardware = {
      url = "github:NixOS/nixos-hardware";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      nixos-hardware,
    }:
    let
      inherit (nixpkgs) lib;
      eachSystem = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ];
      pkgsOf = nixpkgs.legacyPackages;
    in
    {
      nixosModules = import ./nixos/module-list.nix { inherit nixos-hardware; };

      lib = {
        # What the flake on a box calls.
        machine = import ./nixos/machine.nix {
          inherit lib self;
          inherit (self) nixosModules;
        };
        # For a machine that is there already, so that its flake needs no nixpkgs of its own.
        inherit (lib) nixosSystem;
      };

      nixosConfigurations = import ./nixos/configurations.nix { inherit (self.lib) machine; };

      packages = eachSystem (
        system:
        import ./nixos/packages.nix {
          inherit system;
          inherit (self) nixosConfigurations;
          pkgs = pkgsOf.${system};
        }
      );

      apps = eachSystem (system: {
        demo = {
          type = "app";
          program = lib.getExe self.packages.${system}.vm;
          meta.description = "Boots the appliance in a virtual machine on this computer";
        };
      });

      checks = eachSystem (
        system:
        import ./nixos/tests {
          inherit lib self system;
          pkgs = pkgsOf.${system};
        }
      );

      devShells = eachSystem (system: {
        default = pkgsOf.${system}.callPackage ./nixos/shell.nix { };
      });

      formatter = eachSystem (system: pkgsOf.${system}.nixfmt-tree);

      templates.default = {
        path = ./templates/default;
        description = "Your own photo server: the machine's flake and its settings";
      };
    };
}
