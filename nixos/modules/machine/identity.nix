# Name, time zone and locale are the card's: appliance.toml sets them without a build, and no later
# switch takes them back. NixOS keeps its hands off where its own option is not set, so a default
# is only laid down where there is nothing yet. Whoever sets NixOS' options gets what they say.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
in
{
  config = lib.mkIf (cfg.enable && cfg.dedicated) {
    networking.hostName = lib.mkDefault "";
    system.name = lib.mkIf (config.networking.hostName == "") (lib.mkDefault "immich");

    environment.etc."locale.conf".enable = lib.mkDefault false;
    # All of them, which is what the public cache has: the card may choose any.
    i18n.glibcLocales = lib.mkDefault pkgs.glibcLocales;
    environment.extraInit = lib.mkIf (!config.environment.etc."locale.conf".enable) ''
      if [ -r /etc/locale.conf ]; then
        . /etc/locale.conf
        export LANG
      fi
    '';

    # Before systemd reads them. -s is false for a link into a generation that had its own.
    system.activationScripts.immich-appliance-identity = {
      deps = [ "etc" ];
      text = ''
        immichApplianceDefault() {
          [ -s "/etc/$1" ] || { printf '%s\n' "$2" >"/etc/.$1.new" && mv "/etc/.$1.new" "/etc/$1"; }
        }
      ''
      + lib.optionalString (config.networking.hostName == "") ''
        immichApplianceDefault hostname immich
      ''
      + lib.optionalString (!config.environment.etc."locale.conf".enable) ''
        immichApplianceDefault locale.conf LANG=${config.i18n.defaultLocale}
      ''
      + lib.optionalString (config.time.timeZone == null) ''
        [ -e /etc/localtime ] || ln -sfn /etc/zoneinfo/UTC /etc/localtime
      '';
    };
  };
}
