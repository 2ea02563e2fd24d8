# What a machine carries and nixpkgs marks as insecure. nixpkgs itself refuses to evaluate such a
# package, unless somebody permitted it: so a permission counts as well.
{ lib }:
config:
let
  cfg = config.services.immich-appliance;
  services = lib.attrValues config.systemd.services;

  carried = lib.filter lib.isDerivation (
    config.environment.systemPackages
    ++ config.systemd.packages
    ++ config.services.dbus.packages
    ++ config.services.udev.packages
    ++ lib.toList config.hardware.firmware
    ++ lib.concatMap (service: service.path) services
    ++ [
      config.boot.kernelPackages.kernel
      config.nix.package
      config.systemd.package
      config.users.defaultUserShell
      cfg.database.package
    ]
    ++ lib.optionals config.services.immich.enable [
      config.services.immich.package
      config.services.immich.package.machine-learning
    ]
    ++ lib.optional config.services.postgresql.enable config.services.postgresql.finalPackage
    ++ lib.optional (config.services.redis.servers != { }) config.services.redis.package
    ++ lib.optional config.services.openssh.enable config.services.openssh.package
    ++ lib.optional config.services.avahi.enable config.services.avahi.package
    ++ lib.optional config.services.tailscale.enable config.services.tailscale.package
    ++ lib.optional config.services.caddy.enable config.services.caddy.package
    ++ lib.optional config.services.cloudflared.enable config.services.cloudflared.package
    ++ lib.optional config.virtualisation.podman.enable config.virtualisation.podman.package
  );
  insecure =
    package:
    map (reason: "${package.name} is known to be vulnerable: ${reason}") (
      package.meta.knownVulnerabilities or [ ]
    );
  permitted = map (name: "${name} is permitted although it is known to be vulnerable") (
    config.nixpkgs.config.permittedInsecurePackages or [ ]
  );
in
lib.unique (lib.concatMap insecure carried) ++ permitted
