# The flake of the box itself, in /etc/nixos: written once and never again, so that the owner's
# settings outlive updates. Its lock names the very revision that the box was built of.
{
  self,
  board,
  system,
}:
{ lib, pkgs, ... }:
let
  origin = lib.importJSON ./origin.json;
  cache = lib.importJSON ./cache.json;
  released = self ? rev;

  # A tree with changes that no commit holds can only be found again where it lies.
  url =
    if released then
      "github:${origin.owner}/${origin.repo}/${origin.branch}"
    else
      "path:${self.outPath}";

  flake = ''
    # Your photo server: where it comes from, and which board it is.
    {
      inputs.appliance.url = "${url}";

      outputs =
        { appliance, ... }:
        {
          nixosConfigurations.immich = appliance.lib.machine {
            board = "${board}";
            system = "${system}";
            modules = [ ./configuration.nix ];
          };
        };
    }
  '';

  ours = lib.importJSON ../flake.lock;
  # In a lock, a path to an input starts at the root, which is one step further away on the box.
  below =
    node:
    node
    // lib.optionalAttrs (node ? inputs) {
      inputs = lib.mapAttrs (
        _: input: if lib.isList input then [ "appliance" ] ++ input else input
      ) node.inputs;
    };
  lock = {
    version = 7;
    root = "root";
    nodes = lib.mapAttrs (_: below) (removeAttrs ours.nodes [ "root" ]) // {
      root.inputs.appliance = "appliance";
      appliance = {
        inherit (ours.nodes.root) inputs;
        locked = {
          type = "github";
          inherit (origin) owner repo;
          inherit (self) lastModified narHash rev;
        };
        original = {
          type = "github";
          inherit (origin) owner repo;
          ref = origin.branch;
        };
      };
    };
  };

  copy = name: source: "C /etc/nixos/${name} 0644 root root - ${source}";
in
{
  # For the test that evaluates it, as the box does.
  system.build.ownFlake = { inherit flake lock; };

  systemd.tmpfiles.rules = [
    "d /etc/nixos 0755 root root -"
    (copy "flake.nix" (pkgs.writeText "flake.nix" flake))
    (copy "configuration.nix" ../templates/default/configuration.nix)
  ]
  ++ lib.optional released (copy "flake.lock" (pkgs.writeText "flake.lock" (builtins.toJSON lock)));

  # What the lock names is on the card already, so that the first switch needs no network.
  system.extraDependencies = [
    self.outPath
  ]
  ++ map (input: input.outPath) (lib.attrValues (self.inputs or { }));
  system.configurationRevision = self.rev or self.dirtyRev or null;

  nix.settings = {
    experimental-features = [
      "nix-command"
      "flakes"
    ];
    # Where the releases' own packages are, so that a Raspberry Pi never compiles them.
    substituters = lib.mkIf (cache.url != null) [ cache.url ];
    trusted-public-keys = lib.mkIf (cache.publicKey != null) [ cache.publicKey ];
  };
  # Nix reads flakes with it.
  environment.systemPackages = [ pkgs.gitMinimal ];
}
