{
  mkShell,
  callPackage,
  cargo,
  clippy,
  deadnix,
  git,
  jq,
  minisign,
  nixfmt,
  python3,
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
    git
    jq
    minisign
    nixfmt
    (python3.withPackages (packages: [ packages.pyyaml ]))
    restic
    rustc
    rustfmt
    shellcheck
  ];
}
