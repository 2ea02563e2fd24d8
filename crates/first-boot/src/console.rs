//! What a person sees who plugs in a screen: where the photos are, how to sign in, what to do.

/// What there is to say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Greeting<'a> {
    /// The user who signs in.
    pub user: &'a str,
    /// Immich's port.
    pub port: u16,
    /// Whether anybody can sign in.
    pub somebody_can_sign_in: bool,
    /// The one next command.
    pub next: &'a str,
    /// Why the settings file was not taken over.
    pub error: Option<&'a str>,
}

/// The text for `/run/issue.d`. The console itself fills in `\n`, the box's name, and `\4`, its
/// address.
pub fn issue(greeting: &Greeting<'_>) -> String {
    let Greeting {
        user,
        port,
        somebody_can_sign_in,
        next,
        error,
    } = *greeting;
    let mut text = format!("\n  Photos:  http://\\n.local:{port}   or  http://\\4:{port}\n");
    if somebody_can_sign_in {
        text += &format!("  Sign in: ssh {user}@\\n.local\n  Next:    {next}\n");
    } else {
        text += "  Nobody can sign in yet. Switch the box off, put the SD card into a computer, and\n\
                 \x20 write a file appliance.toml on its first partition, with one line:\n\
                 \x20     ssh_keys = [\"the text of your public key, such as ~/.ssh/id_ed25519.pub\"]\n";
    }
    if let Some(error) = error {
        // What agetty would take for an escape must not come from a file.
        let error = error.replace('\\', "/");
        text += &format!("\n  appliance.toml was not taken over: {error}\n");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_shows_address_name_and_the_next_command() {
        let text = issue(&Greeting {
            user: "admin",
            port: 2283,
            somebody_can_sign_in: true,
            next: "immich-appliance setup",
            error: None,
        });
        for words in [
            "http://\\n.local:2283",
            "http://\\4:2283",
            "ssh admin@\\n.local",
            "immich-appliance setup",
        ] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_box_that_nobody_can_enter_says_how_to_change_that_and_what_was_wrong() {
        let text = issue(&Greeting {
            user: "admin",
            port: 2283,
            error: Some("hostname must have 1 to 63 characters \\4"),
            ..Greeting::default()
        });
        assert!(
            text.contains("Nobody can sign in yet") && text.contains("ssh_keys = "),
            "{text}"
        );
        assert!(
            text.contains("hostname must have") && text.contains("/4"),
            "{text}"
        );
    }
}
