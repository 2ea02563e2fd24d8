# One promise: a virtual machine with the real Immich and a blank drive, and a script that ends
# without an error if the promise is kept. The machine is called `immich`.
{
  lib,
  pkgs,
  nixosModules,
}:
name: file:
let
  test = import file { inherit lib pkgs; };

  steps = ''
    def tool(arguments):
        return immich.succeed(f"immich-appliance --no-input {arguments}")


    def create_drive(device="/dev/vdb"):
        immich.succeed("printf 'correct horse battery staple' >/root/passphrase")
        name = device.rsplit("/", 1)[1]
        tool(
            f"drive create {device} --erase {name}"
            " --passphrase-file /root/passphrase --recovery-key-file /root/recovery-key"
        )


    def unlock():
        tool("unlock --start --passphrase-file /root/passphrase")


    def is_up(unit):
        return immich.execute(f"systemctl is-active --quiet {unit}")[0] == 0


    IMMICH = ["postgresql.service", "redis-immich.service", "immich-server.service"]


    def api(method, path, more=""):
        return immich.succeed(
            f"curl --fail-with-body --silent --show-error -X {method} {more}"
            f" -H \"Authorization: Bearer $(cat /root/token 2>/dev/null)\""
            f" http://127.0.0.1:2283/api/{path}"
        )


    def as_json(text):
        return f"-H 'Content-Type: application/json' -d '{text}'"


    def sign_in():
        login = '{"email":"admin@example.org","password":"a long password"}'
        immich.succeed(
            "curl --fail --silent http://127.0.0.1:2283/api/auth/login "
            + as_json(login)
            + " | jq --raw-output .accessToken >/root/token"
        )


    def sign_up_and_upload(photos):
        admin = '{"email":"admin@example.org","password":"a long password","name":"Admin"}'
        api("POST", "auth/admin-sign-up", as_json(admin))
        sign_in()
        for number in range(photos):
            immich.succeed(f"magick -size 320x240 -seed {number} plasma: /root/{number}.jpg")
            api(
                "POST",
                "assets",
                f"-F assetData=@/root/{number}.jpg"
                " -F fileCreatedAt=2024-06-01T12:00:00Z -F fileModifiedAt=2024-06-01T12:00:00Z",
            )


    def photos():
        return int(api("GET", "server/statistics").split('"photos":')[1].split(",")[0])


    def originals():
        return immich.succeed(
            "cd /mnt/immich_drive/immich_data && find upload library -name '*.jpg'"
            " -exec sha256sum {} + | sort"
        )
  '';
in
pkgs.testers.runNixOSTest {
  inherit name;
  # The steps are shared: not each test uses all of them.
  skipLint = true;
  skipTypeCheck = true;

  nodes = {
    immich = {
      imports = [
        nixosModules.default
        (test.machine or { })
      ];
      services.immich-appliance = {
        enable = true;
        dedicated = true;
        # The models would have to be downloaded.
        immich.machineLearning.enable = false;
      };
      # The test's own name for it counts.
      networking.hostName = "immich";
      # There is no time server to wait for.
      systemd.services.systemd-time-wait-sync.wantedBy = lib.mkForce [ ];
      environment.systemPackages = [
        pkgs.curl
        pkgs.imagemagick
        pkgs.jq
        pkgs.restic
      ];
      virtualisation = {
        cores = 2;
        memorySize = 3072;
        emptyDiskImages = lib.mkDefault [ 2048 ];
      };
    };
  }
  // (test.otherNodes or { });

  testScript = steps + "\n" + test.script;
}
