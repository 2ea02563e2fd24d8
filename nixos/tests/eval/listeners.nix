# docs/reference/listeners.md says what the firewall of each combination lets in. Sentences, one for
# each row of it that is not so.
{
  lib,
  appliance,
  onPlainMachine,
}:
let
  closed.immich.openFirewall = false;
  tailscale.remote.tailscale.enable = true;
  cloudflared.remote.cloudflared.enable = true;
  caddy.remote.caddy = {
    enable = true;
    domain = "photos.example.org";
  };
  combinations = {
    "at home" = [ ];
    "`immich.openFirewall = false`, `remote.tailscale`" = [
      closed
      tailscale
    ];
    "`remote.tailscale`" = [ tailscale ];
    "`immich.openFirewall = false`, `remote.cloudflared`" = [
      closed
      cloudflared
    ];
    "`remote.cloudflared`" = [ cloudflared ];
    "`remote.caddy`" = [ caddy ];
    "`remote.caddy`, `remote.tailscale`" = [
      caddy
      tailscale
    ];
  };

  cells = line: map lib.trim (lib.splitString "|" line);
  rows = lib.filter (row: lib.length row == 6 && lib.hasPrefix "`" (lib.elemAt row 2)) (
    map cells (lib.splitString "\n" (lib.readFile ../../../docs/reference/listeners.md))
  );
  documented = lib.listToAttrs (
    map (row: lib.nameValuePair (lib.elemAt row 1) (lib.elemAt row 2)) rows
  );

  # As the page writes them.
  letsIn =
    firewall:
    let
      ports =
        kind:
        map (port: {
          inherit kind port;
        });
      sorted = lib.sort (
        one: other: one.port < other.port || one.port == other.port && one.kind < other.kind
      ) (ports "tcp" firewall.allowedTCPPorts ++ ports "udp" firewall.allowedUDPPorts);
    in
    lib.concatMapStringsSep " " ({ kind, port }: "`${toString port}/${kind}`") sorted;
  onlyPorts =
    firewall:
    firewall.enable
    && firewall.allowedTCPPortRanges == [ ]
    && firewall.allowedUDPPortRanges == [ ]
    && firewall.trustedInterfaces == [ "lo" ]
    && lib.all (interface: interface.allowedTCPPorts == [ ] && interface.allowedUDPPorts == [ ]) (
      lib.attrValues (removeAttrs firewall.interfaces [ "default" ])
    );

  check =
    combination: settings:
    let
      inherit ((onPlainMachine { imports = map appliance settings; }).config.networking) firewall;
    in
    lib.optional (!onlyPorts firewall) "listeners: ${combination}: more than ports is open"
    ++
      lib.optional (documented.${combination} or "" != letsIn firewall)
        "listeners: ${combination}: the firewall lets in ${letsIn firewall}, the page says ${
          documented.${combination} or "nothing"
        }";
in
lib.concatLists (lib.mapAttrsToList check combinations)
++ lib.optional (
  lib.attrNames documented != lib.attrNames combinations
) "listeners: the page has other combinations than the test"
