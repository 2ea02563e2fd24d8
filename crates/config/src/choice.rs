//! The choices: each one type for the configuration, the command line and the library.

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

/// One of a few words. Its choices are documented for the person who chooses.
pub trait Choice: Copy + Into<&'static str> + EnumMessage + VariantArray {
    /// All of them.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// As it is written in the configuration and on the command line.
    fn as_str(self) -> &'static str {
        self.into()
    }

    /// What it means.
    fn doc(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

macro_rules! choices {
    ($($(#[$about:meta])+ $name:ident { $($(#[$doc:meta])+ $choice:ident,)+ })+) => {$(
        $(#[$about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[derive(EnumMessage, EnumString, IntoStaticStr, VariantArray)]
        #[serde(rename_all = "kebab-case")]
        #[strum(serialize_all = "kebab-case")]
        pub enum $name { $($(#[$doc])+ $choice,)+ }

        impl Choice for $name {}
    )+};
}

choices! {
    /// Whether a drive is encrypted.
    Encryption {
        /// LUKS2: locked after every boot until its passphrase is given
        Luks2,
        /// No encryption: mounts and starts at boot, and anyone who takes it can read it
        None,
    }

    /// The cipher of a new drive.
    CipherChoice {
        /// Measured: AES where the processor has AES instructions, else Adiantum
        Auto,
        /// aes-xts-plain64 with a 512-bit key
        AesXts,
        /// xchacha12,aes-adiantum-plain64 with 4096-byte sectors
        Adiantum,
    }

    /// What of the media is backed up.
    Scope {
        /// Originals, profiles and database dumps; thumbnails are made anew after a recovery
        Essential,
        /// Everything, thumbnails and encoded videos included
        Everything,
    }
}
