//! Errors of the Tailscale network.

use appliance_tailnet::Error;
use appliance_tailnet::localapi::{Error as LocalError, Why};

use super::{FailureClass, Meaning, helped, plain};
use crate::remote::{APPROVE, ENROLL};

pub(super) fn meaning(error: &Error) -> Meaning {
    match error {
        Error::LocalApi(error) => local(error),
        Error::NotEnrolled | Error::KeyExpired | Error::Off => helped(FailureClass::Failed, ENROLL),
        Error::OtherServer { wanted, .. } => helped(
            FailureClass::Refused,
            format!(
                "if it should leave its network: immich-appliance remote disable --forget, then \
                 immich-appliance remote enroll --login-server {wanted}"
            ),
        ),
        Error::NoControlServer { .. } => helped(
            FailureClass::Failed,
            "check the network and the address (--login-server; without it, Tailscale's own), then \
             run the same command again",
        ),
        Error::AuthKeyRefused { expired: true, .. } => helped(
            FailureClass::Failed,
            "create a new auth key in the admin console (Settings, Keys) or with headscale \
             preauthkeys create, and run the same command with it; without a key, a person signs \
             in",
        ),
        Error::AuthKeyRefused { .. } => helped(
            FailureClass::Failed,
            "check that the key is complete, was not used before and belongs to this control \
             server; without a key, a person signs in",
        ),
        Error::LoginRefused { .. } => helped(
            FailureClass::Failed,
            "ask whoever runs the network, then run the same command again",
        ),
        Error::PersonNeeded { .. } => helped(
            FailureClass::Usage,
            "open the link and run the same command again; or use --auth-key-file or --auth-key-fd",
        ),
        Error::NobodyLoggedIn { .. } => helped(
            FailureClass::Failed,
            "open the link while immich-appliance remote enroll waits; use --timeout to wait longer",
        ),
        Error::NeedsApproval { .. } => {
            helped(FailureClass::Failed, format!("{APPROVE}, then: {ENROLL}"))
        }
        Error::NotConnected { .. } => helped(
            FailureClass::Failed,
            "check the box's connection to the internet, then immich-appliance remote status",
        ),
        Error::PortTaken { .. } => helped(
            FailureClass::Refused,
            "see what it is with: tailscale serve status; then remove it, or enroll with --no-share",
        ),
        Error::Invalid(_) => plain(FailureClass::Usage),
        Error::Runtime(_) => plain(FailureClass::Failed),
    }
}

fn local(error: &LocalError) -> Meaning {
    match &error.why {
        Why::NotRunning => helped(
            FailureClass::Failed,
            "start it with: systemctl start tailscaled; if it is not installed: \
             services.immich-appliance.remote.tailscale.enable on NixOS, else Tailscale's package",
        ),
        Why::Denied(_) => helped(FailureClass::Failed, "run the command as root"),
        Why::Timeout(_) | Why::Broken(_) => helped(
            FailureClass::Failed,
            "see why with: journalctl -u tailscaled; then systemctl restart tailscaled, and try again",
        ),
        Why::Changed | Why::Answer(_) | Why::Refused { .. } => plain(FailureClass::Failed),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_way_in_which_enrolling_fails_says_what_to_do() {
        let server = || "https://head.example".to_owned();
        let reason = || "words".to_owned();
        let errors = [
            (Error::NotEnrolled, FailureClass::Failed),
            (Error::KeyExpired, FailureClass::Failed),
            (
                Error::OtherServer {
                    current: server(),
                    wanted: server(),
                },
                FailureClass::Refused,
            ),
            (
                Error::NoControlServer {
                    server: server(),
                    reason: reason(),
                },
                FailureClass::Failed,
            ),
            (
                Error::AuthKeyRefused {
                    server: server(),
                    reason: reason(),
                    expired: true,
                },
                FailureClass::Failed,
            ),
            (Error::PersonNeeded { link: server() }, FailureClass::Usage),
            (
                Error::NeedsApproval { server: server() },
                FailureClass::Failed,
            ),
            (
                Error::NobodyLoggedIn {
                    link: server(),
                    after: Duration::from_secs(1),
                },
                FailureClass::Failed,
            ),
            (
                Error::LocalApi(LocalError {
                    doing: "ask how it stands",
                    socket: "/run/tailscale/tailscaled.sock".into(),
                    why: Why::NotRunning,
                }),
                FailureClass::Failed,
            ),
        ];
        for (error, class) in errors {
            let error = crate::Error::from(error);
            let meaning = error.meaning();
            assert_eq!(meaning.class, class, "{error}");
            assert!(meaning.help.is_some(), "{error}");
        }
    }
}
