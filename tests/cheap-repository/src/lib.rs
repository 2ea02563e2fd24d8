//! A restic repository that is cheap for tests.
//!
//! A key names the parameters by which a password becomes it. Those that `backup init` chooses
//! make guessing slow, which each command pays for; an emulated processor takes seconds. And a
//! pack is sent once it is full: with small ones a backup is half done after little data.

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
/// A small pack's size in bytes.
const PACK: u32 = 4 << 20;

/// Replaces the keys in a repository's folder by such as are cheap to derive, for the same
/// password.
///
/// # Errors
/// If this is no repository, the password does not open it, or it cannot be written to.
pub fn cheapen(repository: &Path, password: &str) -> Result<()> {
    let keys = repository.join("keys");
    for entry in fs::read_dir(&keys).with_context(|| format!("cannot read {}", keys.display()))? {
        let path = entry?.path();
        let cheap = cheapened(&fs::read(&path)?, password)?;
        fs::write(keys.join(cheap.name), cheap.file)?;
        fs::remove_file(path)?;
    }
    Ok(())
}

/// As [`cheapen`], and makes the packs small that will be written.
///
/// # Errors
/// As there.
pub fn cheapen_with_small_packs(repository: &Path, password: &str) -> Result<()> {
    cheapen(repository, password)?;
    let mut keys = fs::read_dir(repository.join("keys"))?;
    let key = keys.next().context("the repository has no key")??;
    let master = cheapened(&fs::read(key.path())?, password)?.master;
    let config = repository.join("config");
    let small = with_small_packs(&fs::read(&config)?, &master)?;
    // It was made read-only.
    fs::remove_file(&config)?;
    fs::write(&config, small)?;
    Ok(())
}

/// A key that is cheap to derive.
struct Cheap {
    /// What the key's file is called.
    name: String,
    /// What is in it.
    file: Vec<u8>,
    /// What it opens, the key of all else.
    master: Vec<u8>,
}

/// A key for the same password and the same repository.
fn cheapened(file: &[u8], password: &str) -> Result<Cheap> {
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
    let master = opened(&cipher, nonce, sealed)?;

    let cheap = sealed_with(&derived(password, &salt, CHEAP)?, nonce, &master)?;
    let (log_n, r, p) = CHEAP;
    key["N"] = json!(1_u32 << log_n);
    key["r"] = json!(r);
    key["p"] = json!(p);
    key["data"] = json!(BASE64_STANDARD.encode(cheap));
    let file = serde_json::to_vec(&key)?;
    let name = Sha256::digest(&file);
    Ok(Cheap {
        name: name.iter().map(|byte| format!("{byte:02x}")).collect(),
        file,
        master,
    })
}

/// A repository's config with small packs, which stock restic knows nothing of.
fn with_small_packs(config: &[u8], master: &[u8]) -> Result<Vec<u8>> {
    let master: Value = serde_json::from_slice(master).context("the key is not JSON")?;
    let mut key = Vec::new();
    for part in [&master["encrypt"], &master["mac"]["k"], &master["mac"]["r"]] {
        key.extend(BASE64_STANDARD.decode(part.as_str().unwrap_or_default())?);
    }
    ensure!(
        key.len() == Key::default().len() && config.len() > NONCE,
        "no repository"
    );
    let cipher = Aes256CtrPoly1305Aes::new(Key::from_slice(&key));
    let (nonce, sealed) = config.split_at(NONCE);
    let mut config: Value = serde_json::from_slice(&opened(&cipher, nonce, sealed)?)
        .context("the config is not JSON")?;
    config["datapack_size"] = json!(PACK);
    config["datapack_growfactor"] = json!(0);
    sealed_with(&cipher, nonce, &serde_json::to_vec(&config)?)
}

fn opened(cipher: &Aes256CtrPoly1305Aes, nonce: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let refused = |_| anyhow!("the password does not open the key");
    cipher
        .decrypt(Nonce::from_slice(nonce), sealed)
        .map_err(refused)
}

fn sealed_with(cipher: &Aes256CtrPoly1305Aes, nonce: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let refused = |_| anyhow!("the cipher refuses its input");
    let mut sealed = nonce.to_vec();
    sealed.extend(
        cipher
            .encrypt(Nonce::from_slice(nonce), plain)
            .map_err(refused)?,
    );
    Ok(sealed)
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
        let cheap = cheapened(&key_file(), "word").unwrap();
        assert_eq!(cheap.master, b"the master key");
        let key: Value = serde_json::from_slice(&cheap.file).unwrap();
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
    fn a_config_keeps_all_it_had_and_its_packs_are_small() {
        let text = |from: u8, count: u8| {
            let bytes: Vec<u8> = (from..from + count).collect();
            BASE64_STANDARD.encode(bytes)
        };
        let master = json!({
            "mac": { "k": text(32, 16), "r": text(48, 16) }, "encrypt": text(0, 32),
        });
        let key: Vec<u8> = (0..64).collect();
        let cipher = Aes256CtrPoly1305Aes::new(Key::from_slice(&key));
        let config = sealed_with(&cipher, &[7; NONCE], br#"{"version":2}"#).unwrap();
        let small = with_small_packs(&config, master.to_string().as_bytes()).unwrap();
        let (nonce, sealed) = small.split_at(NONCE);
        let small: Value =
            serde_json::from_slice(&opened(&cipher, nonce, sealed).unwrap()).unwrap();
        let expected = json!({ "version": 2, "datapack_size": PACK, "datapack_growfactor": 0 });
        assert_eq!(small, expected);
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        for file in ["", "{}", r#"{"N":3,"r":8,"p":1,"salt":"","data":""}"#] {
            assert!(cheapened(file.as_bytes(), "word").is_err(), "{file}");
        }
    }
}
