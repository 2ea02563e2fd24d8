{
  description = "A photo server that a family owns: Immich on an encrypted drive, backed up and recoverable";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
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

      # What a user's own flake calls, so that it needs no nixpkgs of its own.
      lib.nixosSystem = lib.nixosSystem;

      nixosConfigurations = import ./nixos/configurations.nix {
        inherit lib;
        inherit (self) nixosModules;
      };

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
          inherit lib;
          inherit (self) nixosModules nixosConfigurations;
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
