# The tool as it is installed: with the programs it calls and with the units of ../dist/systemd, which
# are the very files that the virtual appliance runs.
{
  lib,
  callPackage,
  makeWrapper,
  runCommand,
  coreutils,
  cryptsetup,
  e2fsprogs,
  gzip,
  immich-appliance-unwrapped ? callPackage ./unwrapped.nix { },
  postgresql_17,
  # The client has to be at least as new as the server.
  postgresql ? postgresql_17,
  shadow,
  util-linux,
}:
let
  runtimeTools = [
    coreutils
    cryptsetup
    e2fsprogs
    gzip
    postgresql
    # chpasswd, for the first boot.
    shadow
    util-linux
  ];
in
runCommand "immich-appliance-${immich-appliance-unwrapped.version}"
  {
    pname = "immich-appliance";
    inherit (immich-appliance-unwrapped) version;
    nativeBuildInputs = [ makeWrapper ];
    passthru.unwrapped = immich-appliance-unwrapped;
    meta = immich-appliance-unwrapped.meta;
  }
  ''
    mkdir -p $out/lib/systemd/system
    ln -s ${immich-appliance-unwrapped}/share $out/share
    makeWrapper ${lib.getExe immich-appliance-unwrapped} $out/bin/immich-appliance \
      --prefix PATH : ${lib.makeBinPath runtimeTools}

    bash ${./package-units.sh} ${../dist/systemd} $out/lib/systemd/system $out/bin/immich-appliance
  ''
