{
  mkShell,
  callPackage,
  cargo,
  clippy,
  deadnix,
  jq,
  nixfmt,
  restic,
  rustc,
  rustfmt,
  shellcheck,
}:
mkShell {
  inputsFrom = [ (callPackage ./unwrapped.nix { }) ];
  packages = [
    cargo
    clippy
    deadnix
    jq
    nixfmt
    restic
    rustc
    rustfmt
    shellcheck
  ];
}
