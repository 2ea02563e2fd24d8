# The machines of the flake, as they are released. Sentences, one for each promise broken.
{
  lib,
  self,
  machine,
  # Which of them.
  name,
}:
let
  machines = import ../../configurations.nix { inherit machine; };
  system = machines.${name};
  inherit (system) config;

  vulnerabilities = import ./vulnerabilities.nix { inherit lib; };

  copied = map (rule: lib.elemAt (lib.splitString " " (builtins.unsafeDiscardStringContext rule)) 1) (
    lib.filter (lib.hasPrefix "C /etc/nixos/") config.systemd.tmpfiles.rules
  );
  written = config.system.build.ownFlake;
  # At a commit, not in a tree with changes.
  released = self ? rev;

  # As on the box: its own flake.nix, beside its own configuration.nix.
  onTheBox =
    let
      file = builtins.toFile "flake.nix" (
        lib.replaceStrings
          [ "./configuration.nix" ]
          [ (toString ../../../templates/default/configuration.nix) ]
          written.flake
      );
    in
    ((import file).outputs {
      appliance = self // {
        lib = { inherit machine; };
      };
    }).nixosConfigurations.immich;

  consoles = lib.filter (lib.hasPrefix "console=") config.boot.kernelParams;
  onlyOn = boards: holds: !(lib.elem name boards) || holds;

  image =
    config.system.build.sdImage or config.system.build.diskImage or (throw "${name} has no image");

  nodes = written.lock.nodes;
  follow = path: lib.foldl' (node: input: nodes.${node}.inputs.${input}) "root" path;
  dangling =
    node:
    lib.filter (input: if lib.isList input then !(nodes ? ${follow input}) else !(nodes ? ${input})) (
      lib.attrValues (node.inputs or { })
    );

  promises = {
    "has a derivation" = lib.hasSuffix ".drv" config.system.build.toplevel.drvPath;
    "its image has a derivation" = lib.hasSuffix ".drv" image.drvPath;
    "nixos-rebuild on the box builds the very system" =
      onTheBox.config.system.build.toplevel.drvPath == config.system.build.toplevel.drvPath;
    "all of its flake is written" =
      lib.sort lib.lessThan copied == map (file: "/etc/nixos/${file}") (
        [ "configuration.nix" ] ++ lib.optional released "flake.lock" ++ [ "flake.nix" ]
      );
    "its lock names the revision it was built of" =
      released
      -> nodes.appliance.locked.rev == self.rev && nodes.appliance.locked.narHash == self.narHash;
    "its lock leads to every input" =
      released -> lib.all (node: dangling node == [ ]) (lib.attrValues nodes);
    "its lock pins the nixpkgs that it was built with" =
      released
      ->
        nodes.${
          follow [
            "appliance"
            "nixpkgs"
          ]
        }.locked == (lib.importJSON ../../../flake.lock).nodes.nixpkgs.locked;
    "a tree that no commit holds is found where it lies" =
      !released -> lib.hasInfix "path:${self.outPath}" written.flake;
    "knows its own revision" = config.system.configurationRevision == self.rev or self.dirtyRev or null;
    "takes flakes after every switch" =
      lib.all (feature: lib.elem feature config.nix.settings.experimental-features) [
        "flakes"
        "nix-command"
      ]
      && lib.any (
        package: lib.getName package == "git-minimal" || lib.getName package == "gitMinimal"
      ) config.environment.systemPackages;
    "has the sources of its lock" = lib.elem self.outPath config.system.extraDependencies;
    "has Tailscale for the key that the card may bring" = config.services.tailscale.enable;
    "leaves name, time zone and locale to the card" =
      config.networking.hostName == ""
      && config.time.timeZone == null
      && !config.environment.etc."locale.conf".enable or false;
    "shows the boot on its serial console, and on the screen in the end" = onlyOn [ "rpi4" ] (
      lib.elem "console=ttyS1,115200n8" consoles && lib.last consoles == "console=tty0"
    );
    "has a device tree for each stepping of its chip" = onlyOn [ "rpi5" ] (
      lib.all (tree: lib.hasInfix tree config.sdImage.populateFirmwareCommands) [
        "install-rpi-firmware"
        "bcm2712-rpi-5-b.dtb"
        "bcm2712d0-rpi-5-b.dtb"
        "bcm2712-d-rpi-5-b.dtb"
      ]
      && !config.boot.loader.generic-extlinux-compatible.useGenerationDeviceTree
      && lib.concatLists (lib.attrValues config.hardware.raspberry-pi.configtxt.deviceTreeOverlays) == [ ]
    );
    "renews the firmware with the system" = onlyOn [
      "rpi4"
      "rpi5"
    ] (config.systemd.services ? immich-appliance-firmware);
  };
in
map (promise: "${name}: ${promise}: does not hold") (
  lib.attrNames (lib.filterAttrs (_: holds: !holds) promises)
)
++ map (sentence: "${name}: ${sentence}") (vulnerabilities config)
