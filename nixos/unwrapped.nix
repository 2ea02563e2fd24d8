# A program as Cargo builds it: the box's command (./package.nix adds what it calls and the units),
# or the PC's. What is taken of the tree, and Cargo's flags, are data that scripts/check-package
# reads as well.
{
  lib,
  stdenv,
  buildPackages,
  rustPlatform,
  installShellFiles,
  pkg-config,
  cryptsetup,
  util-linux,
  program ? "immich-appliance",
}:
let
  taken = lib.importJSON ./package-files.json;
  forBox = program == "immich-appliance";
in
rustPlatform.buildRustPackage {
  pname = if forBox then "immich-appliance-unwrapped" else program;
  inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions (map (name: ../. + "/${name}") taken.files);
  };
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = taken.${program};

  # They read README and docs, need more than a sandbox gives, and are a check of their own
  # (scripts/test). A Raspberry Pi that builds the package does not run them.
  doCheck = false;

  nativeBuildInputs = [
    installShellFiles
    pkg-config
  ]
  ++ lib.optional forBox rustPlatform.bindgenHook;
  buildInputs = lib.optionals forBox [
    cryptsetup
    util-linux
  ];

  # The tool writes its own man pages and completions; a cross build runs it in the emulator.
  postInstall = lib.optionalString (forBox && stdenv.hostPlatform.emulatorAvailable buildPackages) ''
    ${stdenv.hostPlatform.emulator buildPackages} $out/bin/immich-appliance generate generated
    installManPage generated/man/*
    installShellCompletion --cmd immich-appliance \
      --bash generated/completions/immich-appliance.bash \
      --fish generated/completions/immich-appliance.fish \
      --zsh generated/completions/_immich-appliance
  '';

  meta = {
    description =
      if forBox then
        "Unlocks, starts, backs up and recovers a family's photo server"
      else
        "Brings the photo server's image onto an SD card";
    license = with lib.licenses; [
      mit
      asl20
    ];
    platforms = lib.platforms.linux;
    mainProgram = program;
  };
}
