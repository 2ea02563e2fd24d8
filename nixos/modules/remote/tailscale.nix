# The family's devices reach the box from anywhere, and nobody else does.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg.remote) tailscale;
in
{
  options.services.immich-appliance.remote.tailscale = {
    enable = lib.mkEnableOption "reaching the box through a Tailscale network";

    authKeyFile = lib.mkOption {
      type = lib.types.nullOr (
        lib.types.pathWith {
          inStore = false;
          absolute = true;
        }
      );
      default = null;
      example = "/etc/immich-appliance/tailscale-key";
      description = ''
        A file with an auth key, with which the box joins the network by itself. Without it, run
        `sudo tailscale up` once and open the address it prints.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && tailscale.enable) {
    services.tailscale = {
      enable = true;
      openFirewall = true;
      inherit (tailscale) authKeyFile;
    };
    # The key that came on the card joins once, and is removed.
    systemd.services.immich-appliance-tailnet = lib.mkIf (tailscale.authKeyFile == null) {
      description = "Join the Tailscale network with the card's key";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "immich-appliance-first-boot.service"
        "network-online.target"
        "tailscaled.service"
      ];
      unitConfig.ConditionPathExists = "/var/lib/immich-appliance/tailscale-auth-key";
      path = [ config.services.tailscale.package ];
      script = ''
        cd /var/lib/immich-appliance
        set -- --auth-key=file:tailscale-auth-key
        if [ -s tailscale-login-server ]; then
          set -- "$@" "--login-server=$(cat tailscale-login-server)"
        fi
        tailscale up "$@"
        rm tailscale-auth-key
      '';
      serviceConfig = {
        Type = "oneshot";
        Restart = "on-failure";
        RestartSec = 60;
      };
    };
    networking.firewall.interfaces.${config.services.tailscale.interfaceName}.allowedTCPPorts = [
      cfg.immich.port
    ];
  };
}
