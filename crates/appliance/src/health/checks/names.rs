//! Whether names on the internet are resolved: updates, backups and the Tailscale network all
//! begin with a name, and fail in ways that do not say so.

use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::Findings;
use crate::Result;

/// Names of different owners: one that is gone says nothing of this box. The dot at the end keeps
/// the network's own search domain, which may answer to everything, out of it.
const NAMES: [&str; 2] = ["cache.nixos.org.", "github.com."];
/// A resolver that needs longer is no use to anybody.
const PATIENCE: Duration = Duration::from_secs(10);

const HELP: &str = "cat /etc/resolv.conf shows which name server is asked; restart the router, or \
     name another server in the box's network settings; if it is 100.100.100.100, Tailscale \
     answers: tailscale set --accept-dns=false gives the box its own back";

pub(super) fn names(findings: &mut Findings<'_>) -> Result<()> {
    match look(has_way_out(Path::new("/proc/net")), resolve) {
        Names::NoNetwork => {}
        Names::Resolved => findings.good("names on the internet are resolved"),
        Names::Unresolved(reason) => findings.notice(
            format!("names on the internet are not resolved: {reason}"),
            HELP,
        ),
    }
    Ok(())
}

/// What became of the names.
#[derive(Debug, PartialEq, Eq)]
enum Names {
    /// There is no way out of the box, so there is nothing to say.
    NoNetwork,
    /// At least one was resolved.
    Resolved,
    /// None was, and why.
    Unresolved(String),
}

fn look(way_out: bool, resolve: impl FnOnce() -> std::result::Result<(), String>) -> Names {
    if !way_out {
        return Names::NoNetwork;
    }
    match resolve() {
        Ok(()) => Names::Resolved,
        Err(reason) => Names::Unresolved(reason),
    }
}

/// Asks for all names at once, by the way every program on this box does; the first answer counts.
fn resolve() -> std::result::Result<(), String> {
    let (tell, told) = mpsc::channel();
    for name in NAMES {
        let tell = tell.clone();
        // The system's resolver has no time limit of its own to set, so it is not waited for
        // longer than ours: a thread that is left behind ends with the resolver's.
        let asked = std::thread::Builder::new().spawn(move || {
            let answer = (name, 443).to_socket_addrs();
            // Nobody listens any more once another name was resolved.
            let _ = tell.send(answer.map(drop).map_err(|error| error.to_string()));
        });
        asked.map_err(|error| error.to_string())?;
    }
    drop(tell);
    first_good(&told, PATIENCE)
}

/// The first success; without one, the last failure, or that the time is over.
fn first_good(
    told: &mpsc::Receiver<std::result::Result<(), String>>,
    patience: Duration,
) -> std::result::Result<(), String> {
    let begin = Instant::now();
    let mut reason = String::from("nothing was asked");
    loop {
        match told.recv_timeout(patience.saturating_sub(begin.elapsed())) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => reason = why,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(reason),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(format!("no answer within {} s", patience.as_secs()));
            }
        }
    }
}

/// Whether a default route leads out of this machine, by the kernel's tables of both families.
fn has_way_out(proc_net: &Path) -> bool {
    let table = |name| std::fs::read_to_string(proc_net.join(name)).unwrap_or_default();
    table("route").lines().any(is_default_v4) || table("ipv6_route").lines().any(is_default_v6)
}

const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

fn leads_out(flags: &str, interface: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & UP != 0 && flags & REJECT == 0)
        && interface != "lo"
}

/// `/proc/net/route`: interface, destination, gateway, flags, three counters, mask, …
fn is_default_v4(line: &str) -> bool {
    let columns: Vec<&str> = line.split_whitespace().collect();
    matches!(
        columns.as_slice(),
        [interface, "00000000", _, flags, _, _, _, "00000000", ..] if leads_out(flags, interface)
    )
}

/// `/proc/net/ipv6_route`: destination, its prefix, source, its prefix, gateway, three counters,
/// flags, interface.
fn is_default_v6(line: &str) -> bool {
    let columns: Vec<&str> = line.split_whitespace().collect();
    matches!(
        columns.as_slice(),
        [destination, "00", _, _, _, _, _, _, flags, interface]
            if destination.bytes().all(|digit| digit == b'0') && leads_out(flags, interface)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4_HEADER: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    fn way_out(v4: &str, v6: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("route"), format!("{V4_HEADER}{v4}")).unwrap();
        std::fs::write(folder.path().join("ipv6_route"), v6).unwrap();
        has_way_out(folder.path())
    }

    #[test]
    fn a_box_without_any_network_has_no_finding_and_asks_nobody() {
        assert_eq!(look(false, || panic!("asked")), Names::NoNetwork);
    }

    #[test]
    fn a_name_that_is_resolved_is_good_and_a_reason_is_passed_on() {
        assert_eq!(look(true, || Ok(())), Names::Resolved);
        assert_eq!(
            look(true, || Err("Temporary failure".into())),
            Names::Unresolved("Temporary failure".into())
        );
    }

    #[test]
    fn one_name_that_is_gone_does_not_matter() {
        let (tell, told) = mpsc::channel();
        tell.send(Err("no such name".into())).unwrap();
        tell.send(Ok(())).unwrap();
        drop(tell);
        assert_eq!(first_good(&told, PATIENCE), Ok(()));
    }

    #[test]
    fn all_names_gone_is_told_by_the_last_reason() {
        let (tell, told) = mpsc::channel();
        tell.send(Err("no such name".into())).unwrap();
        tell.send(Err("no server".into())).unwrap();
        drop(tell);
        assert_eq!(first_good(&told, PATIENCE), Err("no server".into()));
    }

    #[test]
    fn a_resolver_that_never_answers_is_not_waited_for() {
        let (_tell, told) = mpsc::channel();
        let said = first_good(&told, Duration::ZERO).unwrap_err();
        assert!(said.starts_with("no answer within"), "{said}");
    }

    #[test]
    fn a_default_route_of_either_family_is_a_way_out() {
        assert!(way_out(
            "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
            ""
        ));
        let zeros = "0".repeat(32);
        assert!(way_out(
            "",
            &format!(
                "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 00000001 00000000 \
                 00450003     end0\n"
            )
        ));
    }

    #[test]
    fn the_own_network_a_rejecting_route_and_loopback_are_none() {
        let zeros = "0".repeat(32);
        assert!(!way_out("", ""));
        assert!(!way_out(
            "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n",
            &format!(
                "{zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n"
            )
        ));
    }

    #[test]
    fn tables_that_are_not_there_are_no_network() {
        assert!(!has_way_out(Path::new("/nonexistent")));
    }
}
