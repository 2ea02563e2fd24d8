use pbkdf2::pbkdf2_hmac;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

/// The key of a WPA network in 64 hexadecimal digits (IEEE 802.11, annex J.4): what is stored in
/// place of the passphrase, so that other uses of the same words are not given away.
pub fn pre_shared_key(ssid: &str, passphrase: &SecretString) -> SecretString {
    let text = passphrase.expose_secret();
    if text.len() == 64 {
        return SecretString::from(text.to_ascii_lowercase());
    }
    let mut key = zeroize::Zeroizing::new([0_u8; 32]);
    pbkdf2_hmac::<Sha1>(text.as_bytes(), ssid.as_bytes(), 4096, key.as_mut());
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    SecretString::from(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_examples_come_out() {
        let key = pre_shared_key("IEEE", &SecretString::from("password"));
        assert_eq!(
            key.expose_secret(),
            "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
        );
        let key = pre_shared_key("ThisIsASSID", &SecretString::from("ThisIsAPassword"));
        assert_eq!(
            key.expose_secret(),
            "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"
        );
    }
}
