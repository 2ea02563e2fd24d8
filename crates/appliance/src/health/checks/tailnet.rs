use appliance_tailnet::standing::{KeyAge, TailnetState};

use super::{Findings, Verdict};
use crate::Result;
use crate::remote::{self, ENROLL, KEEP};

/// Nothing is said of a box without tailscaled, or in no network: not everybody wants one.
pub(super) fn tailnet(findings: &mut Findings<'_>) -> Result<()> {
    let Some(remote) = remote::look_if_there(findings.appliance)? else {
        return Ok(());
    };
    match (remote.key_trouble(), &remote.standing.state) {
        (_, TailnetState::NotEnrolled | TailnetState::LoginWaits { .. }) => {}
        (Some(trouble), _) if remote.key == KeyAge::Expired => findings.bad(trouble, ENROLL),
        (Some(trouble), _) => findings.notice(trouble, KEEP),
        (None, TailnetState::Connected) => findings.good("connected to the Tailscale network"),
        (None, state) => {
            let detail = format!("the Tailscale network: {}", state.text());
            findings.add(Verdict::Notice, detail, remote.next());
        }
    }
    Ok(())
}
