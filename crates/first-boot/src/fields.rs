//! The fields of the settings file: what is known, of which type, and what it means. The parser
//! and the reference page read the same table.

/// What a field's value looks like in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text in quotes.
    Text,
    /// A text in quotes that must not be shown.
    Secret,
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Flag,
}

impl Kind {
    /// In words, as the end of "must be …".
    pub fn in_words(self) -> &'static str {
        match self {
            Kind::Text | Kind::Secret => "a text in quotes",
            Kind::Texts => "a list of texts in quotes: [\"…\", \"…\"]",
            Kind::Flag => "true or false",
        }
    }
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its group (a table of TOML); empty at the top.
    pub group: &'static str,
    /// Its key within the group.
    pub key: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it means, for the reference.
    pub doc: &'static str,
    /// An example as TOML writes it.
    pub example: &'static str,
}

impl Field {
    /// The key with its group: `wifi.ssid`.
    pub fn name(&self) -> String {
        if self.group.is_empty() {
            self.key.to_owned()
        } else {
            format!("{}.{}", self.group, self.key)
        }
    }
}

const fn field(
    group: &'static str,
    key: &'static str,
    kind: Kind,
    doc: &'static str,
    example: &'static str,
) -> Field {
    Field {
        group,
        key,
        kind,
        doc,
        example,
    }
}

/// Every field, in the order in which they are written and checked.
pub const FIELDS: [Field; 15] = [
    field(
        "",
        "hostname",
        Kind::Text,
        "The box's name in the network; it is reached as NAME.local. Letters, digits and hyphens.",
        "\"immich\"",
    ),
    field(
        "",
        "time_zone",
        Kind::Text,
        "A name from the time zone database.",
        "\"Europe/Berlin\"",
    ),
    field(
        "",
        "locale",
        Kind::Text,
        "Language and country of the shell's messages; UTF-8 only.",
        "\"de_DE.UTF-8\"",
    ),
    field(
        "",
        "ssh_keys",
        Kind::Texts,
        "Public keys of those who may sign in, one line each, as in ~/.ssh/id_ed25519.pub.",
        "[\"ssh-ed25519 AAAA… laptop\"]",
    ),
    field(
        "",
        "password_hash",
        Kind::Secret,
        "Hash of the administrator's password (yescrypt `$y$…` or SHA-512 `$6$…`); never the \
         password itself. `immich-appliance-image customise` makes it.",
        "\"$6$rounds=200000$…\"",
    ),
    field(
        "wifi",
        "ssid",
        Kind::Text,
        "The wireless network's name, up to 32 bytes.",
        "\"Home\"",
    ),
    field(
        "wifi",
        "passphrase",
        Kind::Secret,
        "Its passphrase (8 to 63 bytes) or its key (64 hexadecimal digits); left out for an open \
         network.",
        "\"…\"",
    ),
    field(
        "wifi",
        "country",
        Kind::Text,
        "The country whose radio rules hold, in two capital letters.",
        "\"DE\"",
    ),
    field(
        "wifi",
        "hidden",
        Kind::Flag,
        "Whether the network does not tell its name.",
        "false",
    ),
    field(
        "network",
        "address",
        Kind::Text,
        "A fixed address with the length of its network; without it the router gives one.",
        "\"192.168.1.10/24\"",
    ),
    field(
        "network",
        "gateway",
        Kind::Text,
        "The router's address in the same network.",
        "\"192.168.1.1\"",
    ),
    field(
        "network",
        "dns",
        Kind::Texts,
        "Name servers; the router when left out.",
        "[\"192.168.1.1\"]",
    ),
    field(
        "network",
        "interface",
        Kind::Text,
        "The interface that gets the address; when left out the wireless one if `wifi` is given, \
         else the wired one.",
        "\"eth0\"",
    ),
    field(
        "tailscale",
        "auth_key",
        Kind::Secret,
        "A key with which the box joins a Tailscale network by itself.",
        "\"tskey-auth-…\"",
    ),
    field(
        "tailscale",
        "login_server",
        Kind::Text,
        "The https address of a control server of one's own; Tailscale's when left out.",
        "\"https://headscale.example.org\"",
    ),
];
