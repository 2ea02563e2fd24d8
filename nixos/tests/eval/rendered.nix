# What the machine will be, read off the evaluated configuration.
{ lib, appliance }:
let
  podman = appliance { immich.runtime = "podman"; };
  names = [
    "postgresql"
    "redis-immich"
    "immich-machine-learning"
    "immich-server"
  ];
  startsByItself = config: name: config.systemd.services.${name}.wantedBy != [ ];
  noneStartByThemselves = config: !lib.any (startsByItself config) names;
in
{
  nothing-of-immich-starts-at-boot.holds =
    config: noneStartByThemselves config && config.systemd.targets.postgresql.wantedBy == [ ];
  nothing-of-immich-starts-at-boot-in-containers = {
    module = podman;
    holds = noneStartByThemselves;
  };
  containers-have-the-units-names = {
    module = podman;
    holds = config: lib.all (name: config.systemd.services ? ${name}) (names ++ [ "postgresql-setup" ]);
  };
  containers-are-pinned = {
    module = podman;
    holds =
      config:
      lib.all (container: lib.hasInfix "@sha256:" container.image) (
        lib.attrValues config.virtualisation.oci-containers.containers
      );
  };
  # The backup's unit is the file of systemd/ itself: nothing is laid over it.
  the-backup-unit-is-the-shipped-one.holds =
    config: !(config.systemd.units ? "immich-appliance-backup.service");
  the-target-is-the-shipped-one-and-waits.holds =
    config: !(config.systemd.units ? "immich-appliance.target");
  # It starts with the target, by the target's own Wants=.
  the-backup-timer-is-the-shipped-one.holds =
    config: !(config.systemd.units ? "immich-appliance-backup.timer");
  a-backup-that-is-off-has-no-timer = {
    module = appliance { backup.enable = false; };
    holds = config: !config.systemd.units."immich-appliance-backup.timer".enable;
  };
  a-chosen-schedule-replaces-the-shipped-one = {
    module = appliance { backup.schedule = "02:30"; };
    holds =
      config:
      lib.hasInfix "OnCalendar=\nOnCalendar=02:30\n"
        config.systemd.units."immich-appliance-backup.timer".text;
  };
  the-database-lies-on-the-drive.holds =
    config:
    config.systemd.services.postgresql.environment.PGDATA == "/mnt/immich_drive/postgres/17"
    &&
      config.systemd.services.postgresql.serviceConfig.ReadWritePaths == [
        "/mnt/immich_drive/postgres"
      ];
  the-database-has-no-password.holds =
    config:
    config.services.immich.secretsFile == null
    &&
      config.systemd.services.immich-server.environment.DB_URL
      == "postgresql:///immich?host=/run/postgresql";
  the-media-lie-on-the-drive.holds =
    config: config.services.immich.mediaLocation == "/mnt/immich_drive/immich_data";
  immich-owns-the-same-number-everywhere.holds =
    config: config.users.users.immich.uid == 428 && config.users.groups.immich.gid == 428;
  immich-hides-behind-caddy = {
    module = appliance {
      remote.caddy = {
        enable = true;
        domain = "photos.example.org";
      };
    };
    holds = config: config.services.immich.host == "127.0.0.1";
  };
  the-tailnet-needs-no-port-of-immich = {
    module = appliance {
      immich.openFirewall = false;
      remote.tailscale.enable = true;
    };
    holds =
      config:
      config.services.immich.host == "127.0.0.1"
      && config.networking.firewall.trustedInterfaces == [ "lo" ]
      && config.networking.firewall.interfaces == { };
  };
  a-key-brings-the-box-into-the-tailnet = {
    module = appliance {
      remote.tailscale = {
        enable = true;
        authKeyFile = "/etc/immich-appliance/tailscale-key";
      };
    };
    # The key itself is in no argument.
    holds =
      config:
      let
        service = config.systemd.services.immich-appliance-enroll.serviceConfig;
      in
      service.LoadCredential == [
        "immich-appliance.tailscale-auth-key:/etc/immich-appliance/tailscale-key"
      ]
      && !lib.hasInfix "tailscale-key" service.ExecStart;
  };
  the-tunnel-is-there-only-with-the-drive = {
    module = appliance { remote.cloudflared.enable = true; };
    holds =
      config:
      let
        service = config.systemd.services.cloudflared-tunnel-immich-appliance;
      in
      service.wantedBy == [ "immich-appliance.target" ]
      && service.bindsTo == [ "mnt-immich_drive.mount" ]
      &&
        service.serviceConfig.LoadCredential == [
          "credentials.json:/mnt/immich_drive/secrets/cloudflared-token"
        ];
  };
  there-is-no-default-password.holds =
    config:
    lib.all (
      user:
      user.password == null
      && user.initialPassword == null
      && user.hashedPassword == null
      && user.initialHashedPassword == null
    ) (lib.attrValues (lib.filterAttrs (_: user: user.isNormalUser) config.users.users))
    && !config.services.openssh.settings.PasswordAuthentication;
  ssh-waits-for-a-key-or-a-password.holds =
    config: lib.length config.systemd.services.sshd.unitConfig.ConditionPathExists == 3;
  no-machine-learning-no-unit = {
    module = appliance { immich.machineLearning.enable = false; };
    holds =
      config:
      !(config.systemd.services ? immich-machine-learning)
      && config.systemd.services.immich-server.environment.IMMICH_MACHINE_LEARNING_ENABLED == "false"
      && !lib.elem "immich-machine-learning.service" config.services.immich-appliance.settings.services.units;
  };
  machine-learning-elsewhere = {
    module = appliance { immich.machineLearning.url = "http://desktop.local:3003"; };
    holds =
      config:
      !(config.systemd.services ? immich-machine-learning)
      &&
        config.systemd.services.immich-server.environment.IMMICH_MACHINE_LEARNING_URL
        == "http://desktop.local:3003";
  };
  the-command-asks-where-immich-answers = {
    module = appliance { immich.port = 8080; };
    holds =
      config:
      config.services.immich-appliance.settings.immich.url == "http://127.0.0.1:8080"
      && config.services.immich.port == 8080;
  };
  a-drive-without-encryption-opens-at-boot = {
    module = appliance {
      drive = {
        encryption = "none";
        uuid = "5a2f7c1e-0d3b-4c8e-9f61-2b7d4e8a9c10";
      };
    };
    holds = config: lib.elem "immich-appliance-unlock.service" config.systemd.targets.multi-user.wants;
  };
  an-encrypted-drive-is-left-alone-at-boot.holds =
    config: !lib.elem "immich-appliance-unlock.service" config.systemd.targets.multi-user.wants;
  a-failed-backup-is-told = {
    module = appliance { notify.ntfy.url = "https://ntfy.sh/topic"; };
    holds =
      config:
      config.systemd.units."immich-appliance-backup.service".text
      == "[Unit]\nOnFailure=immich-appliance-notify@%n.service\n";
  };
  limits-hold-in-both-runtimes = {
    module = podman;
    holds =
      config:
      config.systemd.services.immich-server.serviceConfig.MemoryMax == "60%"
      && config.systemd.services.immich-server.serviceConfig.Delegate;
  };
  # 2.x has known holes and gets no more fixes.
  immich-is-3.holds = config: lib.versionAtLeast config.services.immich.package.version "3";
  one-postgresql-for-both-runtimes = {
    module = podman;
    holds =
      config:
      config.services.postgresql.enable
      && !(config.virtualisation.oci-containers.containers ? immich-postgresql)
      && config.systemd.targets.postgresql.wantedBy == [ ]
      && config.systemd.services.postgresql.environment.PGDATA == "/mnt/immich_drive/postgres/17"
      && lib.hasInfix "immich-extensions.sql" config.systemd.services.postgresql-setup.postStart;
  };
  container-images-lie-on-the-drive = {
    module = podman;
    holds =
      config:
      let
        storage = name: config.systemd.services.${name}.environment.CONTAINERS_STORAGE_CONF;
      in
      storage "immich-server" == storage "immich-machine-learning"
      && storage "immich-server" == storage "immich-appliance-prune"
      && !lib.elem "timers.target" config.systemd.timers.immich-appliance-prune.wantedBy;
  };
  old-container-images-are-removed = {
    module = podman;
    holds =
      config: config.systemd.timers.immich-appliance-prune.wantedBy == [ "immich-appliance.target" ];
  };
  # A first backup takes days: an update neither ends it nor waits for it.
  a-backup-outlives-a-switch.holds =
    _:
    lib.elem "X-RestartIfChanged=false" (
      lib.splitString "\n" (lib.readFile ../../../dist/systemd/immich-appliance-backup.service)
    );
  an-update-outlives-its-own-switch = {
    module = appliance { updates.enable = true; };
    holds =
      config:
      lib.all (name: !config.systemd.services.${name}.restartIfChanged) [
        "immich-appliance-trial"
        "immich-appliance-update"
      ];
  };
  an-update-is-built-by-the-flakes-name-not-the-machines = {
    module = {
      networking.hostName = "photos";
      services.immich-appliance.updates.enable = true;
    };
    holds = config: config.systemd.services.immich-appliance-update.environment.ATTRIBUTE == "immich";
  };
  an-update-is-on-trial = {
    module = appliance { updates.enable = true; };
    holds =
      config:
      config.systemd.services.immich-appliance-update.environment.TRIAL == "yes"
      && lib.elem config.services.immich-appliance.updates.trial.command config.systemd.services.immich-appliance-update.path
      && config.systemd.timers.immich-appliance-trial.wantedBy == [ "timers.target" ];
  };
  an-update-of-another-machine-is-not = {
    module = appliance {
      dedicated = false;
      updates.enable = true;
    };
    holds =
      config:
      config.systemd.services.immich-appliance-update.environment.TRIAL == "no"
      && !(config.systemd.timers ? immich-appliance-trial);
  };
  the-card-names-the-box.holds =
    config:
    config.networking.hostName == ""
    && config.services.avahi.hostName == ""
    && !(config.environment.etc ? hostname)
    && lib.hasInfix "immichApplianceDefault hostname immich" config.system.activationScripts.immich-appliance-identity.text;
  the-card-says-where-the-box-is.holds =
    config:
    config.time.timeZone == null
    && !(config.environment.etc ? localtime)
    && !config.environment.etc."locale.conf".enable;
  nixos-options-have-the-last-word = {
    module = {
      networking.hostName = "photos";
      time.timeZone = "Europe/Lisbon";
    };
    holds =
      config:
      !(lib.hasInfix "hostname immich" config.system.activationScripts.immich-appliance-identity.text)
      && config.environment.etc ? localtime;
  };
  one-first-boot.holds =
    config:
    !(config.systemd.services ? immich-appliance-access)
    && config.systemd.services.immich-appliance-first-boot.wantedBy == [ "multi-user.target" ]
    && config.services.immich-appliance.settings.first_boot.folder == "/boot/firmware";
  a-key-in-the-configuration-keeps-passwords-out-of-ssh = {
    module = appliance { access.authorizedKeys = [ "ssh-ed25519 AAAA laptop" ]; };
    holds =
      config:
      !(lib.hasInfix "sshd.conf" config.services.openssh.extraConfig)
      && !(config.services.immich-appliance.settings.first_boot ? password_sign_in_file)
      && lib.length config.systemd.services.sshd.unitConfig.ConditionPathExists == 2;
  };
  tailscale-is-idle-until-it-is-asked = {
    module = appliance { remote.tailscale.enable = true; };
    holds =
      config:
      config.services.tailscale.disableUpstreamLogging
      && config.services.tailscale.authKeyFile == null
      && config.services.tailscale.extraSetFlags == [ "--accept-dns=false" ]
      && lib.elem "|/var/lib/immich-appliance/tailscale-auth-key" config.systemd.services.immich-appliance-tailnet.unitConfig.ConditionPathExists;
  };
  magic-dns-is-there-for-who-asks = {
    module = appliance {
      remote.tailscale = {
        enable = true;
        magicDns = true;
      };
    };
    holds = config: config.services.tailscale.extraSetFlags == [ "--accept-dns=true" ];
  };
  another-machine-keeps-its-own-ways = {
    module = appliance { dedicated = false; };
    holds =
      config:
      !config.services.openssh.enable
      && !config.zramSwap.enable
      && config.networking.hostName != "immich"
      && !(config.users.users ? admin);
  };
}
