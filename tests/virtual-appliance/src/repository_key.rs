//! A restic repository's key with a cheap derivation.
//!
//! A key names the parameters by which a password becomes it. Those that `backup init` chooses
//! make guessing slow, which an emulated processor pays for at each command: seconds.

use std::{fs, path::Path};

use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce, aead::Aead};
use anyhow::{Context as _, Result, anyhow, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use scrypt::Params;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The least that is still scrypt: log2 of N, r and p.
const CHEAP: (u8, u32, u32) = (4, 8, 1);
const NONCE: usize = 16;

/// Replaces the keys in a repository's folder of keys.
///
/// # Errors
/// As [`cheapened`], and if the folder cannot be written to.
pub fn cheapen(keys: &Path, password: &str) -> Result<()> {
    for entry in fs::read_dir(keys).with_context(|| format!("cannot read {}", keys.display()))? {
        let path = entry?.path();
        let (name, cheap) = cheapened(&fs::read(&path)?, password)?;
        fs::write(keys.join(name), cheap)?;
        fs::remove_file(path)?;
    }
    Ok(())
}

/// A key file for the same password and the same repository, and the name it goes by.
///
/// # Errors
/// If this is no key file, or the password does not open it.
pub fn cheapened(file: &[u8], password: &str) -> Result<(String, Vec<u8>)> {
    let mut key: Value = serde_json::from_slice(file).context("the key file is not JSON")?;
    let number = |name: &str| {
        let value = key[name]
            .as_u64()
            .and_then(|value| u32::try_from(value).ok());
        value.with_context(|| format!("the key file has no {name}"))
    };
    let bytes = |name: &str| {
        let text = key[name].as_str().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(text);
        bytes.with_context(|| format!("the key file has no {name}"))
    };
    let (n, salt, data) = (number("N")?, bytes("salt")?, bytes("data")?);
    ensure!(n.is_power_of_two() && data.len() > NONCE, "no key file");
    let log_n = u8::try_from(n.ilog2())?;
    let cipher = derived(password, &salt, (log_n, number("r")?, number("p")?))?;
    let (nonce, sealed) = data.split_at(NONCE);
    let refused = |_| anyhow!("the password does not open the key");
    let master = cipher
        .decrypt(Nonce::from_slice(nonce), sealed)
        .map_err(refused)?;

    let mut cheap = nonce.to_vec();
    let cipher = derived(password, &salt, CHEAP)?;
    cheap.extend(
        cipher
            .encrypt(Nonce::from_slice(nonce), &*master)
            .map_err(refused)?,
    );
    let (log_n, r, p) = CHEAP;
    key["N"] = json!(1_u32 << log_n);
    key["r"] = json!(r);
    key["p"] = json!(p);
    key["data"] = json!(BASE64_STANDARD.encode(cheap));
    let file = serde_json::to_vec(&key)?;
    let name = Sha256::digest(&file);
    Ok((
        name.iter().map(|byte| format!("{byte:02x}")).collect(),
        file,
    ))
}

fn derived(
    password: &str,
    salt: &[u8],
    (log_n, r, p): (u8, u32, u32),
) -> Result<Aes256CtrPoly1305Aes> {
    let params = Params::new(log_n, r, p).context("these are no parameters of scrypt")?;
    let mut key = Key::default();
    scrypt::scrypt(password.as_bytes(), salt, &params, &mut key).context("deriving the key")?;
    Ok(Aes256CtrPoly1305Aes::new(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key file as restic writes it, for the password `word`.
    fn key_file() -> Vec<u8> {
        let cipher = derived("word", b"salt", (10, 8, 1)).unwrap();
        let nonce = [7; NONCE];
        let mut data = nonce.to_vec();
        data.extend(
            cipher
                .encrypt(Nonce::from_slice(&nonce), b"the master key".as_slice())
                .unwrap(),
        );
        let key = json!({
            "created": "2026-01-02T03:04:05Z", "kdf": "scrypt", "N": 1024, "r": 8, "p": 1,
            "salt": BASE64_STANDARD.encode("salt"), "data": BASE64_STANDARD.encode(data),
        });
        serde_json::to_vec(&key).unwrap()
    }

    #[test]
    fn the_same_password_opens_the_cheap_key_and_another_does_not() {
        let (_, cheap) = cheapened(&key_file(), "word").unwrap();
        let key: Value = serde_json::from_slice(&cheap).unwrap();
        assert_eq!(
            (&key["N"], &key["created"]),
            (&json!(16), &json!("2026-01-02T03:04:05Z"))
        );
        let data = BASE64_STANDARD
            .decode(key["data"].as_str().unwrap())
            .unwrap();
        let (nonce, sealed) = data.split_at(NONCE);
        let opened = |password| {
            let cipher = derived(password, b"salt", CHEAP).unwrap();
            cipher.decrypt(Nonce::from_slice(nonce), sealed)
        };
        assert_eq!(opened("word").unwrap(), b"the master key");
        assert!(opened("world").is_err());
        assert!(cheapened(&key_file(), "world").is_err());
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        for file in ["", "{}", r#"{"N":3,"r":8,"p":1,"salt":"","data":""}"#] {
            assert!(cheapened(file.as_bytes(), "word").is_err(), "{file}");
        }
    }
}
