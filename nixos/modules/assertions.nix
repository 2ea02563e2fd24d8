# Choices that contradict each other, each refused with a sentence that says what to change.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg)
    backup
    drive
    immich
    notify
    remote
    updates
    ;
  o = name: "services.immich-appliance.${name}";
  reachable =
    immich.openFirewall || remote.tailscale.enable || remote.cloudflared.enable || remote.caddy.enable;
in
{
  config.assertions = lib.mkIf cfg.enable [
    {
      assertion = immich.machineLearning.url == null || immich.machineLearning.enable;
      message = "${o "immich.machineLearning.url"} names another machine for a work that is switched off: set ${o "immich.machineLearning.enable"} = true, or take the address away.";
    }
    {
      assertion = reachable;
      message = "Nobody could open Immich: ${o "immich.openFirewall"} is off and no ${o "remote"} way is on. Switch one of them on.";
    }
    {
      assertion = drive.encryption == "none" -> drive.uuid != null;
      message = "A drive without encryption is mounted at boot, so it must be named: set ${o "drive.uuid"} to what 'immich-appliance drive list' shows.";
    }
    {
      assertion = !(cfg.settings.drive ? mount_point || cfg.settings.drive ? mapper_name);
      message = "${o "settings.drive"} changes the mount point or the mapper's name, but the units are bound to ${drive.mountPoint}: take the key away.";
    }
    {
      assertion = backup.schedule != null -> backup.enable;
      message = "${o "backup.schedule"} is set, but ${o "backup.enable"} is off and no backup would run: choose one.";
    }
    {
      assertion = updates.reboot -> drive.encryption == "none";
      message = "${o "updates.reboot"} would leave the drive locked after an update, and Immich off until someone types the passphrase. Switch it off and restart the machine yourself.";
    }
    {
      assertion = updates.reboot -> updates.enable;
      message = "${o "updates.reboot"} is on, but ${o "updates.enable"} is off: nothing would ever restart the machine.";
    }
    {
      assertion = remote.caddy.enable -> remote.caddy.domain != null;
      message = "Caddy needs the name that Immich is opened by: set ${o "remote.caddy.domain"}.";
    }
    {
      assertion =
        remote.caddy.enable && remote.caddy.domain != null && lib.hasSuffix ".ts.net" remote.caddy.domain
        -> remote.tailscale.enable;
      message = "${o "remote.caddy.domain"} is a name of a Tailscale network: set ${o "remote.tailscale.enable"} = true as well.";
    }
    {
      assertion = notify.mail.to != null -> notify.mail.from != null && notify.mail.host != null;
      message = "A mail needs a sender and a server: set ${o "notify.mail.from"} and ${o "notify.mail.host"}.";
    }
    {
      assertion = notify.mail.to == null -> notify.mail.from == null && notify.mail.host == null;
      message = "${o "notify.mail"} has a server or a sender but nobody to write to: set ${o "notify.mail.to"}.";
    }
    {
      assertion = notify.ntfy.tokenFile != null -> notify.ntfy.url != null;
      message = "${o "notify.ntfy.tokenFile"} is set, but no topic: set ${o "notify.ntfy.url"}.";
    }
    {
      assertion = immich.runtime == "podman" -> !config.services.immich.enable;
      message = "${o "immich.runtime"} is \"podman\", but services.immich.enable is on too: two Immichs would share one port. Switch one off.";
    }
    {
      assertion = cfg.dedicated -> cfg.access.authorizedKeys != [ ] || cfg.access.cardFolder != null;
      message = "Nobody could sign in: put a public key into ${o "access.authorizedKeys"}, or leave ${o "access.cardFolder"} as it is.";
    }
  ];
}
