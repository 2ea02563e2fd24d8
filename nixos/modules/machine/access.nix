# Who may sign in. There is no default password: until a key or a password is given, the SSH server
# does not start, and the console says what to do.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.immich-appliance;
  inherit (cfg) access;
  # Where the first boot puts what it was given. Root's, so that sshd trusts it.
  folder = "/var/lib/immich-appliance-access";
  passwordSignIn = "${folder}/sshd.conf";
  # By key only, once there is a key: also one that the configuration brings.
  passwordsCount = access.authorizedKeys == [ ];
in
{
  options.services.immich-appliance.access = {
    user = lib.mkOption {
      type = lib.types.strMatching "[a-z_][a-z0-9_-]{0,30}";
      default = "admin";
      description = "The user who signs in and may do everything.";
    };

    authorizedKeys = lib.mkOption {
      type = lib.types.listOf lib.types.singleLineStr;
      default = [ ];
      example = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI... laptop" ];
      description = "The public keys that may sign in.";
    };

    cardFolder = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = "/boot/firmware";
      description = ''
        Where the SD card's first partition is mounted, which every computer can write. The box
        takes over `appliance.toml` there at its next start, and erases what is secret in it. With
        a key, signing in by password is off. `null`: there is no card.
      '';
    };
  };

  config = lib.mkIf (cfg.enable && cfg.dedicated) {
    users.users.${access.user} = {
      isNormalUser = true;
      extraGroups = [ "wheel" ];
      openssh.authorizedKeys.keys = access.authorizedKeys;
    };
    # A person who signs in by key has no password to give to sudo.
    security.sudo.wheelNeedsPassword = lib.mkDefault false;

    services.openssh = {
      enable = true;
      settings = {
        PasswordAuthentication = false;
        KbdInteractiveAuthentication = false;
        PermitRootLogin = "no";
      };
      authorizedKeysFiles = [ "${folder}/%u.keys" ];
      # Holds a Match block that allows passwords, and only when one was given and no key.
      extraConfig = lib.mkIf passwordsCount "Include ${passwordSignIn}";
    };
    systemd.services.sshd.unitConfig.ConditionPathExists = [
      "|/etc/ssh/authorized_keys.d/${access.user}"
      "|${folder}/${access.user}.keys"
    ]
    ++ lib.optional passwordsCount "|${passwordSignIn}";

    # The shipped unit, which NixOS does not start by its [Install].
    services.immich-appliance.settings.first_boot = lib.mkIf (access.cardFolder != null) {
      folder = access.cardFolder;
      inherit (access) user;
      keys_file = "${folder}/${access.user}.keys";
      password_sign_in_file = lib.mkIf passwordsCount passwordSignIn;
    };
    systemd.services.immich-appliance-first-boot = lib.mkIf (access.cardFolder != null) {
      wantedBy = [ "multi-user.target" ];
      # For chpasswd.
      path = [ pkgs.shadow ];
    };
    # Wi-Fi and a fixed address of appliance.toml are connections of NetworkManager.
    networking.networkmanager = {
      enable = lib.mkDefault true;
      # Its plug-ins are for other people's VPNs.
      plugins = lib.mkForce [ ];
    };
  };
}
