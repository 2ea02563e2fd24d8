//! The box in its Tailscale network.

use appliance_tailnet::Error;
use appliance_tailnet::standing::{KeyAge, State};

use super::{Findings, Verdict};
use crate::context::Context;
use crate::steps::remote::{self, ENROLL, KEEP};

impl Findings {
    /// Nothing is said of a box without tailscaled, or in no network: not everybody wants one.
    pub(super) fn tailnet(&mut self, context: &Context) {
        self.look("remote", |findings| {
            let remote = match remote::look(context) {
                Err(Error::LocalApi(error)) if error.is_not_running() => return Ok(()),
                other => other?,
            };
            match (remote.key_trouble(), &remote.standing.state) {
                (_, State::NotEnrolled | State::LoginWaits { .. }) => {}
                (Some(trouble), _) => {
                    let (verdict, mend) = if remote.key == KeyAge::Expired {
                        (Verdict::Bad, ENROLL)
                    } else {
                        (Verdict::Notice, KEEP)
                    };
                    findings.add("remote", verdict, trouble, Some(mend));
                }
                (None, State::Connected) => findings.add(
                    "remote",
                    Verdict::Good,
                    "connected to the Tailscale network",
                    None,
                ),
                (None, state) => findings.add(
                    "remote",
                    Verdict::Notice,
                    format!("the Tailscale network: {}", state.text()),
                    remote.next().as_deref(),
                ),
            }
            Ok(())
        });
    }
}
