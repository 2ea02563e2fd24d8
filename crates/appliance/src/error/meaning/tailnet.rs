//! Errors of the Tailscale network.

use appliance_tailnet::TailnetError;
use appliance_tailnet::localapi::{LocalApiError, Why};

use super::{FailureClass, Meaning, helped, plain};
use crate::remote::{APPROVE, ENROLL};

pub(super) fn meaning(error: &TailnetError) -> Meaning {
    match error {
        TailnetError::LocalApi(error) => local(error),
        TailnetError::NotEnrolled | TailnetError::KeyExpired | TailnetError::Off => {
            helped(FailureClass::Failed, ENROLL)
        }
        TailnetError::OtherServer { wanted, .. } => helped(
            FailureClass::Refused,
            format!(
                "if it should leave its network: immich-appliance remote disable --forget, then \
                 immich-appliance remote enroll --login-server {wanted}"
            ),
        ),
        TailnetError::NoControlServer { .. } => helped(
            FailureClass::Failed,
            "check the network and the address (--login-server; without it, Tailscale's own), then \
             run the same command again",
        ),
        TailnetError::AuthKeyRefused { expired: true, .. } => helped(
            FailureClass::Failed,
            "create a new auth key in the admin console (Settings, Keys) or with headscale \
             preauthkeys create, and run the same command with it; without a key, a person signs \
             in",
        ),
        TailnetError::AuthKeyRefused { .. } => helped(
            FailureClass::Failed,
            "check that the key is complete, was not used before and belongs to this control \
             server; without a key, a person signs in",
        ),
        TailnetError::LoginRefused { .. } => helped(
            FailureClass::Failed,
            "ask whoever runs the network, then run the same command again",
        ),
        TailnetError::PersonNeeded { .. } => helped(
            FailureClass::Usage,
            "open the link and run the same command again; or use --auth-key-file or --auth-key-fd",
        ),
        TailnetError::NobodyLoggedIn { .. } => helped(
            FailureClass::Failed,
            "open the link while immich-appliance remote enroll waits; use --timeout to wait longer",
        ),
        TailnetError::NeedsApproval { .. } => {
            helped(FailureClass::Failed, format!("{APPROVE}, then: {ENROLL}"))
        }
        TailnetError::NotConnected { .. } => helped(
            FailureClass::Failed,
            "check the box's connection to the internet, then immich-appliance remote status",
        ),
        TailnetError::PortTaken { .. } => helped(
            FailureClass::Refused,
            "see what it is with: tailscale serve status; then remove it, or enroll with --no-share",
        ),
        TailnetError::Invalid(_) => plain(FailureClass::Usage),
        TailnetError::Runtime(_) => plain(FailureClass::Failed),
    }
}

fn local(error: &LocalApiError) -> Meaning {
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
    fn each_way_in_which_an_enrollment_fails_says_what_to_do() {
        let server = || "https://head.example".to_owned();
        let reason = || "words".to_owned();
        let errors = [
            (TailnetError::NotEnrolled, FailureClass::Failed),
            (TailnetError::KeyExpired, FailureClass::Failed),
            (
                TailnetError::OtherServer {
                    current: server(),
                    wanted: server(),
                },
                FailureClass::Refused,
            ),
            (
                TailnetError::NoControlServer {
                    server: server(),
                    reason: reason(),
                },
                FailureClass::Failed,
            ),
            (
                TailnetError::AuthKeyRefused {
                    server: server(),
                    reason: reason(),
                    expired: true,
                },
                FailureClass::Failed,
            ),
            (
                TailnetError::PersonNeeded { link: server() },
                FailureClass::Usage,
            ),
            (
                TailnetError::NeedsApproval { server: server() },
                FailureClass::Failed,
            ),
            (
                TailnetError::NobodyLoggedIn {
                    link: server(),
                    after: Duration::from_secs(1),
                },
                FailureClass::Failed,
            ),
            (
                TailnetError::LocalApi(LocalApiError {
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
