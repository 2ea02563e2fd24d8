# docs/reference/nixos-options.md, from the evaluated module:
#   scripts/check-nix --write-options
{ nixpkgs }:
let
  lib = import (nixpkgs + "/lib");
  prefix = "services.immich-appliance.";

  evaluated = import (nixpkgs + "/nixos/lib/eval-config.nix") {
    inherit lib;
    system = null;
    modules = [
      ./modules
      { nixpkgs.hostPlatform = "x86_64-linux"; }
    ];
  };
  options = lib.filter (
    option: lib.hasPrefix prefix option.name && !option.internal && option.visible == true
  ) (lib.optionAttrSetToDocList evaluated.options.services.immich-appliance);

  # One line, and no bar that would end the cell.
  cell =
    text:
    lib.replaceStrings [ "|" ] [ "\\|" ] (
      lib.concatStringsSep " " (lib.filter (word: word != "") (lib.splitString " " (oneLine text)))
    );
  oneLine = lib.replaceStrings [ "\n" ] [ " " ];
  code = text: "`${cell text}`";

  row =
    option:
    "| ${code (lib.removePrefix prefix option.name)} | ${cell option.type} | ${
      if option ? default then code option.default.text else "—"
    } | ${cell option.description} |";

  # drive.uuid belongs to "drive"; enable to none.
  groupOf =
    option:
    let
      path = lib.splitString "." (lib.removePrefix prefix option.name);
    in
    if lib.length path == 1 then "" else lib.head path;
  groups = lib.unique (map groupOf options);
  table =
    group:
    ''
      ${if group == "" then "## The appliance" else "## `${group}`"}

      | option | type | default | meaning |
      |---|---|---|---|
    ''
    + lib.concatMapStrings (option: row option + "\n") (lib.filter (o: groupOf o == group) options);
in
''
  # NixOS options

  Everything is set under `services.immich-appliance`; `drive.uuid` below is
  `services.immich-appliance.drive.uuid`. This page is written by `scripts/check-nix
  --write-options` from the module itself.

''
+ lib.concatMapStringsSep "\n" table (lib.sort lib.lessThan groups)
