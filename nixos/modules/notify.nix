# Someone is told when the backup fails. Messages name the unit and the machine, no file and no
# person: they may pass through a server of strangers.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) notify;

  secretFile =
    description:
    lib.mkOption {
      type = lib.types.nullOr (
        lib.types.pathWith {
          inStore = false;
          absolute = true;
        }
      );
      default = null;
      inherit description;
    };

  anyone = notify.ntfy.url != null || notify.mail.to != null;

  msmtprc = pkgs.writeText "immich-appliance-msmtprc" ''
    defaults
    auth ${if notify.mail.passwordFile == null then "off" else "on"}
    tls on
    tls_starttls ${if notify.mail.port == 465 then "off" else "on"}
    account default
    host ${toString notify.mail.host}
    port ${toString notify.mail.port}
    from ${toString notify.mail.from}
    user ${toString notify.mail.user}
    passwordeval cat "''${CREDENTIALS_DIRECTORY}/mail-password"
  '';

  send = pkgs.writeShellApplication {
    name = "immich-appliance-notify";
    runtimeInputs = [
      pkgs.curl
      pkgs.msmtp
    ];
    text = ''
      unit=$1
      # bash's own: the box may have its name from the card.
      title="$HOSTNAME: $unit failed"
      text="On the box, 'journalctl -u $unit' says why, and 'immich-appliance doctor' what to do."
      failed=0
    ''
    + lib.optionalString (notify.ntfy.url != null) ''
      header=$(mktemp)
      trap 'rm -f "$header"' EXIT
      ${lib.optionalString (notify.ntfy.tokenFile != null) ''
        printf 'Authorization: Bearer %s\n' "$(cat "$CREDENTIALS_DIRECTORY/ntfy-token")" >"$header"
      ''}
      curl --fail --silent --show-error --retry 5 --retry-connrefused --max-time 60 \
        --header "Title: $title" --header "Priority: high" --header "@$header" \
        --data "$text" ${lib.escapeShellArg notify.ntfy.url} >/dev/null || failed=1
    ''
    + lib.optionalString (notify.mail.to != null) ''
      printf 'To: %s\nFrom: %s\nSubject: %s\n\n%s\n' \
        ${lib.escapeShellArg notify.mail.to} ${lib.escapeShellArg (toString notify.mail.from)} "$title" "$text" |
        msmtp --file=${msmtprc} -- ${lib.escapeShellArg notify.mail.to} || failed=1
    ''
    + ''
      exit "$failed"
    '';
  };

  # A drop-in of its own, so that the unit itself stays the one of systemd/.
  dropIn = text: {
    overrideStrategy = "asDropin";
    inherit text;
  };
in
{
  options.services.immich-appliance.notify = {
    ntfy = {
      url = lib.mkOption {
        type = lib.types.nullOr (lib.types.strMatching "https?://.+/.+");
        default = null;
        example = "https://ntfy.sh/a-topic-only-you-know";
        description = "The ntfy topic to which a failure is sent.";
      };
      tokenFile = secretFile "A file with ntfy's access token, for a topic that needs one.";
    };

    mail = {
      to = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        example = "family@example.org";
        description = "To whom a failure is mailed.";
      };
      from = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        example = "photos@example.org";
        description = "The sender's address.";
      };
      host = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        example = "smtp.example.org";
        description = "The mail server that takes it.";
      };
      port = lib.mkOption {
        type = lib.types.port;
        default = 465;
        description = "Its port: 465 is TLS from the start, any other begins it with STARTTLS.";
      };
      user = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = notify.mail.from;
        defaultText = lib.literalExpression "config.services.immich-appliance.notify.mail.from";
        description = "The name to sign in with.";
      };
      passwordFile = secretFile "A file with the password to sign in with. Without it there is no sign-in.";
    };

    heartbeatUrlFile = secretFile ''
      A file with an address that is called after every good backup. A service such as
      healthchecks.io then speaks up when the calls stop, which also covers a drive that stays
      locked and a box without power.
    '';
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      (lib.mkIf anyone {
        systemd.services."immich-appliance-notify@" = {
          description = "Tell about the failure of %i";
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
          serviceConfig = {
            Type = "oneshot";
            ExecStart = "${lib.getExe send} %i";
            DynamicUser = true;
            PrivateTmp = true;
            LoadCredential =
              lib.optional (notify.ntfy.tokenFile != null) "ntfy-token:${notify.ntfy.tokenFile}"
              ++ lib.optional (notify.mail.passwordFile != null) "mail-password:${notify.mail.passwordFile}";
          };
        };
        systemd.services.immich-appliance-update = lib.mkIf cfg.updates.enable {
          onFailure = [ "immich-appliance-notify@%n.service" ];
        };
        # It fails when the box went back to the former system.
        systemd.services.immich-appliance-trial = lib.mkIf cfg.dedicated {
          onFailure = [ "immich-appliance-notify@%n.service" ];
        };
      })

      (lib.mkIf (notify.heartbeatUrlFile != null) {
        systemd.services.immich-appliance-heartbeat = {
          description = "Report a good backup";
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
          path = [ pkgs.curl ];
          # A run that found the drive locked ends without a complaint, but was no backup. The
          # address is a secret, and arguments are not: curl reads it itself.
          script = ''
            [ "''${MONITOR_EXIT_STATUS:-0}" = 0 ] || exit 0
            printf 'url = "%s"\n' "$(cat "$CREDENTIALS_DIRECTORY/url")" |
              curl --fail --silent --show-error --retry 5 --retry-connrefused --max-time 60 \
                --output /dev/null --config -
          '';
          serviceConfig = {
            Type = "oneshot";
            DynamicUser = true;
            LoadCredential = "url:${notify.heartbeatUrlFile}";
          };
        };
      })

      (lib.mkIf (anyone || notify.heartbeatUrlFile != null) {
        systemd.units."immich-appliance-backup.service" = dropIn (
          "[Unit]\n"
          + lib.optionalString anyone "OnFailure=immich-appliance-notify@%n.service\n"
          + lib.optionalString (
            notify.heartbeatUrlFile != null
          ) "OnSuccess=immich-appliance-heartbeat.service\n"
        );
      })
    ]
  );
}
