# What a family may want to choose about Immich, however it is run.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) immich;

  limits = memory: {
    memory = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching "[1-9][0-9]*([KMGT]|%)");
      default = memory;
      example = "2G";
      description = "The most memory it may use (`MemoryMax=`): a size, or a part of the machine's.";
    };
    cpu = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching "[1-9][0-9]*%");
      default = null;
      example = "200%";
      description = "The most processor time it may use (`CPUQuota=`); `200%` are two cores.";
    };
  };
in
{
  options.services.immich-appliance.immich = {
    runtime = lib.mkOption {
      type = lib.types.enum [
        "native"
        "podman"
      ];
      default = "native";
      description = ''
        `native`: Immich as packaged by NixOS. `podman`: Immich's own container images, pinned by
        digest, for those who want its releases on the day; PostgreSQL, the drive, the units' names,
        the limits and the command stay the same.
      '';
    };

    port = lib.mkOption {
      type = lib.types.port;
      default = 2283;
      description = "The port that Immich answers on.";
    };

    address = lib.mkOption {
      type = lib.types.str;
      internal = true;
      readOnly = true;
      default =
        # What leads here from afar does so from this machine.
        if !immich.openFirewall then
          "127.0.0.1"
        # On "::" the kernel answers both kinds of address.
        else if config.networking.enableIPv6 then
          "::"
        else
          "0.0.0.0";
    };

    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = !cfg.remote.caddy.enable;
      defaultText = lib.literalMD "`true`; `false` with `remote.caddy`";
      description = ''
        Whether the home network reaches Immich. If not, it listens on this machine only, and one of
        the `remote` ways leads to it.
      '';
    };

    machineLearning = {
      enable = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "Whether faces are recognised and photos found by what they show.";
      };
      url = lib.mkOption {
        type = lib.types.nullOr (lib.types.strMatching "https?://.+");
        default = null;
        example = "http://desktop.local:3003";
        description = "Another machine that does the work. Without it, this one does.";
      };
      here = lib.mkOption {
        type = lib.types.bool;
        internal = true;
        readOnly = true;
        default = immich.machineLearning.enable && immich.machineLearning.url == null;
      };
      limits = limits "40%";
    };

    transcodingDevices = lib.mkOption {
      type = lib.types.listOf lib.types.path;
      default = [ ];
      example = [ "/dev/dri/renderD128" ];
      description = ''
        Devices that Immich may use to transcode videos; the kind (VA-API, Quick Sync…) is then
        chosen in Immich's settings. Immich does not support the Raspberry Pi's video hardware.
      '';
    };

    storageTemplate = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "{{y}}/{{y}}-{{MM}}-{{dd}}/{{filename}}";
      description = ''
        How originals are named on the drive. Like everything in `config`, it hands Immich's system
        settings over to this file: its settings page then shows them but cannot change them.
      '';
    };

    config = lib.mkOption {
      inherit (pkgs.formats.json { }) type;
      default = { };
      example = {
        trash.days = 60;
      };
      description = ''
        Immich's system settings, as its settings page exports them. While this is empty, they are
        set on that page. It is readable for every user of the machine: no secrets.
      '';
    };

    environment = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      example = {
        IMMICH_LOG_LEVEL = "verbose";
      };
      description = "More environment variables of Immich's server.";
    };

    mediaFolder = lib.mkOption {
      type = lib.types.path;
      internal = true;
      readOnly = true;
      default = "${cfg.drive.mountPoint}/immich_data";
    };

    limits = limits "60%";
  };

  config = lib.mkIf cfg.enable {
    services.immich-appliance.immich.config.storageTemplate =
      lib.mkIf (immich.storageTemplate != null)
        {
          enabled = true;
          template = immich.storageTemplate;
        };

    services.immich-appliance.settings = {
      immich = lib.mkIf (immich.port != 2283) { url = "http://127.0.0.1:${toString immich.port}"; };
      # Without machine learning on this machine there is no such unit to start.
      services = lib.mkIf (!immich.machineLearning.here) {
        units = [
          "postgresql.service"
          "postgresql-setup.service"
          "redis-immich.service"
          "immich-server.service"
        ];
      };
    };

    networking.firewall.allowedTCPPorts = lib.mkIf immich.openFirewall [ immich.port ];

    services.immich-appliance.immich.environment = {
      IMMICH_MACHINE_LEARNING_ENABLED = lib.mkIf (!immich.machineLearning.enable) "false";
      IMMICH_MACHINE_LEARNING_URL = lib.mkIf (
        immich.machineLearning.url != null
      ) immich.machineLearning.url;
    };

    # The files on the drive belong to numbers, not names. With a fixed one they still belong to
    # Immich when the drive is plugged into the next machine.
    users.users.immich = {
      isSystemUser = true;
      group = "immich";
      uid = 428;
      extraGroups = lib.mkIf (immich.transcodingDevices != [ ]) [
        "render"
        "video"
      ];
    };
    users.groups.immich.gid = 428;
  };
}
