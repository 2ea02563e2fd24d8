//! Public keys: from flags, from ~/.ssh, and from the web if an address was given.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use appliance_terminal::{Exit, Refused};

use super::person::Person;

/// Longest answer of a web server that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Keys by their text or their file.
///
/// # Errors
/// When a file cannot be read.
pub fn given(given: &[String]) -> anyhow::Result<Vec<String>> {
    let mut keys = Vec::new();
    for given in given {
        // The text of a key holds a blank; a file seldom does, and then it is there.
        if given.trim().contains(' ') && !Path::new(given).is_file() {
            keys.push(given.trim().to_owned());
        } else {
            let text = fs::read_to_string(given)
                .with_context(|| format!("cannot read the public key {given}"))?;
            keys.extend(lines(&text));
        }
    }
    Ok(keys)
}

/// The public keys in ~/.ssh of the person who started the program, in the order of their files'
/// names.
pub fn of_this_person() -> Vec<String> {
    let texts = Person::here().map(|person| person.texts(".ssh", "pub"));
    texts
        .unwrap_or_default()
        .iter()
        .flat_map(|text| lines(text))
        .collect()
}

/// Keys from the web, one a line.
///
/// # Errors
/// When they cannot be fetched, or the way there can be changed by others.
pub fn from_web(url: &str) -> anyhow::Result<Vec<String>> {
    if !url.starts_with("https://") {
        return Err(Refused::new(
            Exit::Usage,
            format!("{url} is not used: anyone on the way could add keys of their own"),
            "give an address that begins with https://",
        )
        .into());
    }
    let text = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(30)))
        .https_only(true)
        .build()
        .new_agent()
        .get(url)
        .call()
        .and_then(|mut answer| {
            answer
                .body_mut()
                .with_config()
                .limit(LONGEST)
                .read_to_string()
        })
        .with_context(|| format!("cannot download the keys from {url}"))?;
    let keys = lines(&text);
    ensure!(!keys.is_empty(), "there are no keys at {url}");
    Ok(keys)
}

fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}
