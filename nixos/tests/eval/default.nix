# What can be known of a configuration without building it. Returns sentences, one for each promise
# that is broken; an empty list is success.
{
  lib,
  nixosModules,
  self,
  # ../../machine.nix
  machine,
  # modules -> an evaluated NixOS system
  evaluate,
  # Which of the parts below.
  part,
  # Every choice on every board too, which takes minutes.
  everywhere ? false,
}:
let
  appliance = settings: { services.immich-appliance = settings; };

  # A machine that is nothing but the appliance, on a disk.
  onPlainMachine =
    module:
    evaluate [
      nixosModules.default
      {
        nixpkgs.hostPlatform = lib.mkDefault "x86_64-linux";
        boot.loader.grub.enable = false;
        fileSystems."/" = {
          device = "/dev/disk/by-label/nixos";
          fsType = "ext4";
        };
        system.stateVersion = "26.05";
        services.immich-appliance = {
          enable = true;
          dedicated = lib.mkDefault true;
        };
      }
      module
    ];
  onBoard =
    board: module:
    evaluate [
      nixosModules.${board}
      {
        nixpkgs.hostPlatform = if board == "vm" then "x86_64-linux" else "aarch64-linux";
      }
      module
    ];

  refusals = system: map (a: a.message) (lib.filter (a: !a.assertion) system.config.assertions);
  tests = lib.mapAttrsToList (name: test: test // { inherit name; });

  accepted =
    { name, system }:
    let
      broken = refusals system ++ lib.filter (text: text != "") system.config.warnings;
    in
    if broken != [ ] then
      [ "${name}: refused, or with a warning: ${toString broken}" ]
    # The derivation exists only if every option that matters to it could be evaluated.
    else if !(lib.hasSuffix ".drv" system.config.system.build.toplevel.drvPath) then
      [ "${name}: it has no derivation" ]
    else
      [ ];

  refused =
    {
      name,
      module,
      says,
    }:
    let
      messages = refusals (onPlainMachine module);
    in
    if lib.any (lib.hasInfix says) messages then
      [ ]
    else
      [ "${name}: not refused with a sentence that says “${says}” but with: ${toString messages}" ];

  # Evaluated once for all that ask nothing else of it.
  defaults = onPlainMachine { };
  rendered =
    test:
    lib.optional (
      !test.holds (if test ? module then onPlainMachine test.module else defaults).config
    ) "${test.name}: does not hold";

  arguments = { inherit lib appliance; };
  choices = import ./accepted.nix (arguments // { inherit everywhere onPlainMachine onBoard; });
  released =
    name:
    import ./machines.nix {
      inherit
        lib
        self
        machine
        name
        ;
    };

  parts = {
    choices = lib.concatMap accepted choices.plain;
    sentences = lib.concatMap refused (tests (import ./refused.nix arguments));
    rendered =
      lib.concatMap rendered (tests (import ./rendered.nix arguments))
      ++ import ./listeners.nix (arguments // { inherit onPlainMachine; });
    rpi4 = released "rpi4" ++ lib.concatMap accepted choices.rpi4;
    rpi5 = released "rpi5" ++ lib.concatMap accepted choices.rpi5;
    vm = released "vm" ++ lib.concatMap accepted choices.vm;
    vm-aarch64 = released "vm-aarch64";
  };
in
parts.${part}
