# Only in the images themselves: what turns into the machine's own on its first start.
{ pkgs, ... }:
let
  template = ../templates/default;
in
{
  # The user's own flake. It is written once and never again, so that settings outlive updates.
  systemd.tmpfiles.rules = [
    "d /etc/nixos 0755 root root -"
    "C /etc/nixos/flake.nix 0644 root root - ${template}/flake.nix"
    "C /etc/nixos/configuration.nix 0644 root root - ${template}/configuration.nix"
  ];

  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];
  environment.systemPackages = [ pkgs.gitMinimal ];
}
