//! Errors of the Tailscale network.

use appliance_tailnet::Error;
use appliance_tailnet::localapi::{Error as LocalError, Why};

use super::{Meaning, mended, plain};
use crate::exit::Exit;
use crate::steps::remote::{APPROVE, ENROLL};

pub(super) fn meaning(error: &Error) -> Meaning {
    match error {
        Error::LocalApi(error) => local(error),
        Error::NotEnrolled | Error::KeyExpired | Error::Off => mended(Exit::Failed, ENROLL),
        Error::OtherServer { wanted, .. } => mended(
            Exit::Refused,
            format!(
                "if it is to leave its network: immich-appliance remote disable --forget, then \
                 immich-appliance remote enroll --login-server {wanted}"
            ),
        ),
        Error::NoControlServer { .. } => mended(
            Exit::Failed,
            "check the network and the address (--login-server; without it, Tailscale's own), then \
             run the same command again",
        ),
        Error::AuthKeyRefused { expired: true, .. } => mended(
            Exit::Failed,
            "make a new auth key in the admin console (Settings, Keys) or with headscale \
             preauthkeys create, and run the same command with it; without a key, a person logs in",
        ),
        Error::AuthKeyRefused { .. } => mended(
            Exit::Failed,
            "check that the key is whole, was not used before and belongs to this control server; \
             without a key, a person logs in",
        ),
        Error::LoginRefused { .. } => mended(
            Exit::Failed,
            "ask who runs the network, then run the same command again",
        ),
        Error::PersonNeeded { .. } => mended(
            Exit::Usage,
            "open the link and run the same command again; or give --auth-key-file or --auth-key-fd",
        ),
        Error::NobodyLoggedIn { .. } => mended(
            Exit::Failed,
            "open the link while immich-appliance remote enroll waits; --timeout makes it wait longer",
        ),
        Error::NeedsApproval { .. } => mended(Exit::Failed, format!("{APPROVE}, then: {ENROLL}")),
        Error::NotConnected { .. } => mended(
            Exit::Failed,
            "check the box's connection to the internet, then immich-appliance remote status",
        ),
        Error::PortTaken { .. } => mended(
            Exit::Refused,
            "see what it is with: tailscale serve status; and take it away, or enroll with --no-share",
        ),
        Error::Invalid(_) => plain(Exit::Usage),
        Error::Runtime(_) => plain(Exit::Failed),
    }
}

fn local(error: &LocalError) -> Meaning {
    match &error.why {
        Why::NotRunning => mended(
            Exit::Failed,
            "start it with: systemctl start tailscaled; if it is not installed: \
             services.immich-appliance.remote.tailscale.enable on NixOS, else Tailscale's package",
        ),
        Why::Denied(_) => mended(Exit::Failed, "run the command as root"),
        Why::Timeout(_) | Why::Broken(_) => mended(
            Exit::Failed,
            "journalctl -u tailscaled says why; systemctl restart tailscaled, then the same command",
        ),
        Why::Changed | Why::Answer(_) | Why::Refused { .. } => plain(Exit::Failed),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::classify;
    use super::*;

    #[test]
    fn each_way_in_which_an_enrolment_fails_says_what_to_do() {
        let server = || "https://head.example".to_owned();
        let reason = || "words".to_owned();
        let errors = [
            (Error::NotEnrolled, Exit::Failed),
            (Error::KeyExpired, Exit::Failed),
            (
                Error::OtherServer {
                    current: server(),
                    wanted: server(),
                },
                Exit::Refused,
            ),
            (
                Error::NoControlServer {
                    server: server(),
                    reason: reason(),
                },
                Exit::Failed,
            ),
            (
                Error::AuthKeyRefused {
                    server: server(),
                    reason: reason(),
                    expired: true,
                },
                Exit::Failed,
            ),
            (Error::PersonNeeded { link: server() }, Exit::Usage),
            (Error::NeedsApproval { server: server() }, Exit::Failed),
            (
                Error::NobodyLoggedIn {
                    link: server(),
                    after: Duration::from_secs(1),
                },
                Exit::Failed,
            ),
            (
                Error::LocalApi(LocalError {
                    doing: "ask how it stands",
                    socket: "/run/tailscale/tailscaled.sock".into(),
                    why: Why::NotRunning,
                }),
                Exit::Failed,
            ),
        ];
        for (error, exit) in errors {
            let error = anyhow::Error::from(error);
            let meaning = classify(&error);
            assert_eq!(meaning.exit, exit, "{error}");
            assert!(meaning.mend.is_some(), "{error}");
        }
    }
}
