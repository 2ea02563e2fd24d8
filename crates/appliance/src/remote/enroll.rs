//! Bringing the box into a Tailscale network, and out of it again.

use std::time::Duration;

use appliance_files::remove_durably;
use appliance_first_boot::apply::{TAILSCALE_KEY, TAILSCALE_SERVER};
use appliance_secret::Source;
use appliance_tailnet::enroll::EnrollWish;
use appliance_tailnet::standing::{KeyAge, TAILSCALE, TailnetState, same_server};
use appliance_tailnet::{Happening, Shared, TailnetError};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{APPROVE, KEEP, Remote, day, look, tailnet, target};
use crate::dialogue::{Dialogue, Question};
use crate::{Appliance, Result};

/// How the box enters a network. An auth key is asked for; without one, a person logs in.
#[derive(Debug, Clone)]
pub struct EnrollOptions {
    /// The control server; `None` for the one it is enrolled with, or the card named, or else
    /// Tailscale's own.
    pub login_server: Option<String>,
    /// The box's name there; `None` as it is.
    pub hostname: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether Immich is shared with the network.
    pub share: bool,
    /// How long the login and the connection may take.
    pub timeout: Duration,
}

/// A box that is enrolled.
#[derive(Debug, Serialize)]
pub struct Enrolled {
    /// Whether anything was changed.
    pub changed: bool,
    /// How it stands.
    #[serde(flatten)]
    pub remote: Remote,
    /// What a person should know or can still do.
    pub hints: Vec<String>,
}

/// Brings the box into a Tailscale network, and shares Immich with it.
///
/// # Errors
/// When tailscaled does not run, or the network does not take the box.
pub fn enroll(appliance: &Appliance, options: &EnrollOptions) -> Result<Enrolled> {
    let _lock = appliance.exclusively_for_remote()?;
    let card = FromCard::read(appliance)?;
    let given = appliance.dialogue().secret_if_given(&Question::AuthKey)?;
    let given = given
        .map(|key| Ok::<_, crate::Error>(SecretString::from(key.expose_text()?.trim().to_owned())))
        .transpose()?;
    // Also where the card's key was handed over once more: it is the same key.
    let uses_card = card.key.as_ref().is_some_and(|of_card| {
        given
            .as_ref()
            .is_none_or(|given| given.expose_secret() == of_card.expose_secret())
    });
    let key = given.or(card.key);
    let server = options.login_server.clone().or(card.server);
    let wanted = EnrollWish::new(
        server.as_deref(),
        options.hostname.as_deref(),
        &options.tags,
    )?;
    let tailnet = tailnet(appliance)?;
    let dialogue = appliance.dialogue();
    let shown = dialogue.wait("waiting for the Tailscale network");
    let enrolled = tailnet.enroll(&wanted, key.as_ref(), options.timeout, &mut |happening| {
        tell(dialogue, &happening);
        dialogue.may_wait()
    });
    drop(shown);
    let card_key = appliance.paths.state.join(TAILSCALE_KEY);
    if uses_card && matches!(enrolled, Err(TailnetError::AuthKeyRefused { .. })) {
        // A key that was refused once is refused again, and lies there for nothing. Why it was
        // refused matters more than whether it could be erased.
        appliance.warn(match remove_durably(&card_key) {
            Ok(_) => "the auth key from the card was refused, and has been erased".to_owned(),
            Err(error) => {
                format!("the auth key from the card was refused; erasing it failed: {error}")
            }
        });
    }
    let enrolled = enrolled?;
    if uses_card {
        remove_durably(&card_key)?;
    }

    let mut hints = Vec::new();
    let mut changed = enrolled.changed;
    if options.share {
        let shared = tailnet.share(target(appliance))?;
        changed |= shared.changed;
        hints.extend(https_hint(&shared, &enrolled.standing.server));
    } else {
        changed |= tailnet.unshare(target(appliance))?;
    }
    let remote = look(appliance)?;
    if let Some(trouble) = remote.key_trouble() {
        appliance.warn(trouble);
    }
    if let (KeyAge::Fine, Some(expiry)) = (remote.key, remote.standing.key_expiry) {
        hints.push(format!(
            "The box's key expires on {}. To keep it: {KEEP}.",
            day(expiry)
        ));
    }
    Ok(Enrolled {
        changed,
        remote,
        hints,
    })
}

/// What the settings file on the card said of the tailnet.
struct FromCard {
    key: Option<SecretString>,
    server: Option<String>,
}

impl FromCard {
    fn read(appliance: &Appliance) -> Result<Self> {
        let key = appliance.paths.state.join(TAILSCALE_KEY);
        let server = appliance.paths.state.join(TAILSCALE_SERVER);
        let key = key
            .exists()
            .then(|| Source::File(key).obtain(""))
            .transpose()?;
        Ok(FromCard {
            key: key
                .map(|key| {
                    let text = key.secret.expose_text()?.trim().to_owned();
                    Ok::<_, crate::Error>(SecretString::from(text))
                })
                .transpose()?,
            server: std::fs::read_to_string(server)
                .ok()
                .map(|address| address.trim().to_owned()),
        })
    }
}

/// How [`disable`] left the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// It has left the network.
    Left,
    /// It was in no network.
    WasInNone,
    /// It is switched off, and keeps its place.
    SwitchedOff,
    /// It was not connected.
    WasOff,
}

/// Cuts the box off from its Tailscale network; with `forget`, for good.
///
/// # Errors
/// When tailscaled does not run, or does not do it.
pub fn disable(appliance: &Appliance, forget: bool) -> Result<Disabled> {
    let _lock = appliance.exclusively_for_remote()?;
    let tailnet = tailnet(appliance)?;
    let state = tailnet.standing()?.state;
    let in_a_network = !matches!(
        state,
        TailnetState::NotEnrolled | TailnetState::LoginWaits { .. }
    );
    // Taken back first: what is shared would be back with the connection.
    if in_a_network && state != TailnetState::KeyExpired {
        tailnet.unshare(target(appliance))?;
    }
    if forget {
        if tailnet.leave()? {
            return Ok(Disabled::Left);
        }
        tailnet.switch_off()?;
        return Ok(Disabled::WasInNone);
    }
    // Also where it is in no network: a login that was begun ends with it.
    Ok(if tailnet.switch_off()? {
        Disabled::SwitchedOff
    } else {
        Disabled::WasOff
    })
}

fn tell(dialogue: &dyn Dialogue, happening: &Happening) {
    match happening {
        Happening::Link(link) => {
            dialogue.say(
                "\nOpen this link on any device and sign in; the box then joins your network:",
            );
            dialogue.link(link);
        }
        Happening::NeedsApproval => {
            dialogue.say(&format!("The box has to be approved: {APPROVE}."));
        }
    }
}

fn https_hint(shared: &Shared, server: &str) -> Option<String> {
    if shared.https {
        return None;
    }
    Some(if same_server(server, TAILSCALE) {
        "This network issues no certificates yet, so Immich is shared over HTTP (inside the \
         network's own encryption). For HTTPS: in the admin console, under DNS, enable MagicDNS \
         and HTTPS Certificates; then run: immich-appliance remote enroll."
            .to_owned()
    } else {
        format!(
            "{server} issues no certificates, so Immich is shared over HTTP, inside the network's \
             own encryption."
        )
    })
}

#[cfg(test)]
mod tests;
