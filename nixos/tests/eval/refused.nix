# Choices that contradict each other, and what the user is told.
{ appliance, ... }:
let
  refused = settings: says: {
    module = appliance settings;
    inherit says;
  };
in
{
  machine-learning-off-and-elsewhere = refused {
    immich.machineLearning = {
      enable = false;
      url = "http://desktop.local:3003";
    };
  } "names another machine for a work that is switched off";
  nobody-can-open-immich = refused { immich.openFirewall = false; } "Nobody could open Immich";
  somebodys-postgresql = {
    module = {
      services.postgresql.enable = true;
      services.immich-appliance.dedicated = false;
    };
    says = "has a PostgreSQL of its own";
  };
  somebodys-postgresql-beside-containers = {
    module = {
      services.postgresql.enable = true;
      services.immich-appliance = {
        dedicated = false;
        immich.runtime = "podman";
      };
    };
    says = "has a PostgreSQL of its own";
  };
  unnamed-drive-without-encryption = refused {
    drive.encryption = "none";
  } "it must be named";
  mount-point-moved = refused { settings.drive.mount_point = "/photos"; } "are bound to /mnt";
  mapper-renamed = refused { settings.drive.mapper_name = "photos"; } "are bound to /mnt";
  schedule-without-backup = refused {
    backup = {
      enable = false;
      schedule = "daily";
    };
  } "no backup would run";
  reboot-with-a-locked-drive = refused {
    updates = {
      enable = true;
      reboot = true;
    };
  } "until someone types the passphrase";
  reboot-without-updates = refused {
    updates.reboot = true;
    drive = {
      encryption = "none";
      uuid = "5a2f7c1e-0d3b-4c8e-9f61-2b7d4e8a9c10";
    };
  } "nothing would ever restart";
  caddy-without-name = refused {
    remote.caddy.enable = true;
  } "Caddy needs the name";
  tailnet-name-without-tailscale = refused {
    remote.caddy = {
      enable = true;
      domain = "immich.tail1234.ts.net";
    };
  } "is a name of a Tailscale network";
  mail-without-server = refused {
    notify.mail.to = "family@example.org";
  } "A mail needs a sender and a server";
  mail-to-nobody = refused {
    notify.mail.host = "smtp.example.org";
  } "nobody to write to";
  token-without-topic = refused {
    notify.ntfy.tokenFile = "/etc/immich-appliance/ntfy-token";
  } "but no topic";
  nobody-can-sign-in = refused { access.cardFolder = null; } "Nobody could sign in";
  two-immichs = {
    module = {
      services.immich.enable = true;
      services.immich-appliance.immich.runtime = "podman";
    };
    says = "two Immichs would share one port";
  };
}
