# The tool as Cargo builds it. ./package.nix adds what it calls and the units.
{
  lib,
  stdenv,
  buildPackages,
  rustPlatform,
  installShellFiles,
  pkg-config,
  cryptsetup,
  util-linux,
}:
rustPlatform.buildRustPackage {
  pname = "immich-appliance-unwrapped";
  inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.toml
      ../Cargo.lock
      ../clippy.toml
      ../rustfmt.toml
      ../crates
      ../tests
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;

  cargoBuildFlags = [ "--package=immich-appliance" ];
  # The scenarios in the virtual appliance need more than a build sandbox gives.
  cargoTestFlags = [
    "--workspace"
    "--exclude=virtual-appliance"
    "--lib"
    "--bins"
  ];

  nativeBuildInputs = [
    installShellFiles
    pkg-config
    rustPlatform.bindgenHook
  ];
  buildInputs = [
    cryptsetup
    util-linux
  ];

  # The tool writes its own man pages and completions; a cross build runs it in the emulator.
  postInstall = lib.optionalString (stdenv.hostPlatform.emulatorAvailable buildPackages) ''
    ${stdenv.hostPlatform.emulator buildPackages} $out/bin/immich-appliance generate generated
    installManPage generated/man/*
    installShellCompletion --cmd immich-appliance \
      --bash generated/completions/immich-appliance.bash \
      --fish generated/completions/immich-appliance.fish \
      --zsh generated/completions/_immich-appliance
  '';

  meta = {
    description = "Unlocks, starts, backs up and recovers a family's photo server";
    license = with lib.licenses; [
      mit
      asl20
    ];
    platforms = lib.platforms.linux;
    mainProgram = "immich-appliance";
  };
}
