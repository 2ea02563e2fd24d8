# Every choice on every machine: each has to evaluate, without a warning.
{
  lib,
  appliance,
  everywhere,
  onBoard,
  onPlainMachine,
}:
let
  choices = {
    defaults = { };
    podman.immich.runtime = "podman";
    tailscale.remote.tailscale = {
      enable = true;
      authKeyFile = "/etc/immich-appliance/tailscale-key";
    };
    tailscale-of-ones-own.remote.tailscale = {
      enable = true;
      authKeyFile = "/etc/immich-appliance/tailscale-key";
      loginServer = "https://headscale.example.org";
    };
    cloudflared = {
      immich.openFirewall = false;
      remote.cloudflared.enable = true;
    };
    caddy = {
      immich.openFirewall = false;
      remote.caddy = {
        enable = true;
        domain = "photos.example.org";
        email = "family@example.org";
      };
    };
    caddy-on-the-tailnet.remote = {
      tailscale.enable = true;
      caddy = {
        enable = true;
        domain = "immich.tail1234.ts.net";
      };
    };
    podman-with-everything = {
      immich = {
        runtime = "podman";
        port = 8080;
        transcodingDevices = [ "/dev/dri/renderD128" ];
        storageTemplate = "{{y}}/{{filename}}";
        limits.cpu = "200%";
      };
      remote = {
        tailscale.enable = true;
        cloudflared = {
          enable = true;
          tokenFile = "/etc/immich-appliance/cloudflared-token";
        };
        caddy = {
          enable = true;
          domain = "immich.local";
        };
      };
    };
    no-machine-learning.immich.machineLearning.enable = false;
    machine-learning-elsewhere.immich.machineLearning.url = "http://desktop.local:3003";
    transcoding.immich.transcodingDevices = [ "/dev/dri/renderD128" ];
    storage-template.immich.storageTemplate = "{{y}}/{{filename}}";
    drive-taken-over = {
      database.major = "15";
      drive.uuid = "5a2f7c1e-0d3b-4c8e-9f61-2b7d4e8a9c10";
    };
    without-encryption.drive = {
      encryption = "none";
      uuid = "5a2f7c1e-0d3b-4c8e-9f61-2b7d4e8a9c10";
    };
    backup-at-night.backup = {
      schedule = "*-*-* 02:30:00";
      scope = "essential";
      exclude = [ "*.mov" ];
    };
    notifications.notify = {
      ntfy = {
        url = "https://ntfy.sh/topic";
        tokenFile = "/etc/immich-appliance/ntfy-token";
      };
      mail = {
        to = "family@example.org";
        from = "photos@example.org";
        host = "smtp.example.org";
        passwordFile = "/etc/immich-appliance/mail-password";
      };
      heartbeatUrlFile = "/etc/immich-appliance/heartbeat-url";
    };
    updates = {
      updates.enable = true;
      notify.ntfy.url = "https://ntfy.sh/topic";
    };
    key.access.authorizedKeys = [ "ssh-ed25519 AAAA laptop" ];
    own-settings.settings.drive.unlock_tries = 5;
  };

  on =
    machine: make:
    lib.mapAttrsToList (
      choice: settings: {
        name = "${choice} on ${machine}";
        system = make (appliance settings);
      }
    );
  onBoards = if everywhere then choices else { inherit (choices) defaults podman-with-everything; };
in
lib.genAttrs [ "rpi4" "rpi5" "vm" ] (board: on board (onBoard board) onBoards)
// {
  plain = on "a plain machine" onPlainMachine choices ++ [
    {
      name = "beside other things on a machine";
      system = onPlainMachine (appliance {
        dedicated = false;
      });
    }
  ];
}
