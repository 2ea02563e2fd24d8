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

    firstBootFile = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = "/boot/firmware/immich-appliance.txt";
      description = ''
        A file on the SD card's first partition, which every computer can write, with lines such as
        `ssh-key = ssh-ed25519 AAAA… laptop` or `password = …`. The box reads it at boot, takes over
        what it says, and removes the lines with secrets. With a key, signing in by password is off.
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
      extraConfig = ''
        Include ${folder}/sshd.conf
      '';
    };
    systemd.services.sshd.unitConfig.ConditionPathExists = [
      "|/etc/ssh/authorized_keys.d/${access.user}"
      "|${folder}/${access.user}.keys"
      "|${folder}/sshd.conf"
    ];

    # appliance.toml beside it, which immich-appliance-image writes, is taken over by the shipped unit.
    services.immich-appliance.settings.first_boot = lib.mkIf (access.firstBootFile != null) {
      folder = dirOf access.firstBootFile;
      inherit (access) user;
      keys_file = "${folder}/${access.user}.keys";
      password_sign_in_file = "${folder}/sshd.conf";
    };
    systemd.services.immich-appliance-first-boot = lib.mkIf (access.firstBootFile != null) {
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

    systemd.services.immich-appliance-access = lib.mkIf (access.firstBootFile != null) {
      description = "Take over what the first-boot file says";
      wantedBy = [ "multi-user.target" ];
      # Its keys and its password count here, too.
      after = [ "immich-appliance-first-boot.service" ];
      before = [
        "sshd.service"
        "getty.target"
      ];
      # Without the partition it still has to say on the console what is missing.
      unitConfig.WantsMountsFor = [ (dirOf access.firstBootFile) ];
      path = [ pkgs.shadow ];
      environment = {
        FIRST_BOOT_FILE = access.firstBootFile;
        ACCESS_FOLDER = folder;
        ACCESS_USER = access.user;
        ISSUE_FILE = "/run/issue.d/immich-appliance.issue";
        KEYS_IN_CONFIGURATION = toString (lib.length access.authorizedKeys);
        IMMICH_PORT = toString cfg.immich.port;
      };
      script = lib.readFile ./first-boot.sh;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        UMask = "0022";
      };
    };
  };
}
