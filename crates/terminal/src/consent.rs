//! Consent to destroy: whoever gives it types the name of what is lost.

use std::fmt;

/// Another name was typed than that of what would be destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlike {
    name: String,
    typed: String,
}

impl Unlike {
    /// What to do instead.
    pub fn mend(&self) -> String {
        format!("to consent, the name must be exactly {}", self.name)
    }
}

impl fmt::Display for Unlike {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "nothing was touched: \"{}\" is not {}",
            self.typed, self.name
        )
    }
}

impl std::error::Error for Unlike {}

/// Compares what was typed with the name; space around it does not count.
///
/// # Errors
/// [`Unlike`] if it is anything else.
pub fn same_name(name: &str, typed: &str) -> Result<(), Unlike> {
    let typed = typed.trim();
    if typed == name {
        return Ok(());
    }
    Err(Unlike {
        name: name.to_owned(),
        typed: typed.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_name_consents() {
        assert!(same_name("sda", " sda\n").is_ok());
        for typed in ["", "sd", "sda1", "SDA", "/dev/sda", "yes"] {
            let refused = same_name("sda", typed).unwrap_err();
            assert!(
                refused.to_string().contains("nothing was touched"),
                "{typed}"
            );
        }
    }
}
