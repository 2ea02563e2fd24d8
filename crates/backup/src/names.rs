//! File names, which may be any bytes but `/` and zero, shown and written so that they do no harm.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A path as it can be shown on a terminal or written to a log: one line, and nothing in it that a
/// terminal takes for a command or that turns the direction of writing. What cannot be shown is
/// written as in Rust or a shell: `\n`, `\u{1b}`, `\xff`; a backslash that could be mistaken for
/// the beginning of one is doubled.
pub fn display_name(path: impl AsRef<Path>) -> String {
    let mut shown = String::new();
    for chunk in path.as_ref().as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                '\\' => shown.push_str("\\\\"),
                c if c.is_control() || is_invisible(c) => {
                    // Writing to a string cannot fail.
                    let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
                }
                c => shown.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// What is not seen but changes how the rest is: line separators, marks of direction, zero-width
/// characters, tags.
fn is_invisible(c: char) -> bool {
    matches!(
        u32::from(c),
        0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
            | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f
    )
}

/// A path that is written to JSON whatever bytes it has: as a string where it is UTF-8, else as
/// `{"text": …, "bytes": …}` with the readable form of [`display_name`] and all bytes as
/// hexadecimal digits.
#[derive(Debug, Clone, Copy)]
pub struct JsonPath<'a>(pub &'a Path);

impl Serialize for JsonPath<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.0.to_str() {
            return serializer.serialize_str(text);
        }
        let mut bytes = String::new();
        for byte in self.0.as_os_str().as_bytes() {
            let _ = write!(bytes, "{byte:02x}");
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("text", &display_name(self.0))?;
        map.serialize_entry("bytes", &bytes)?;
        map.end()
    }
}

/// Writes a path as [`JsonPath`] does: `#[serde(serialize_with = "appliance_backup::names::json")]`.
///
/// # Errors
/// Only the serializer's own.
pub fn json<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    JsonPath(path).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn path(bytes: &[u8]) -> &Path {
        Path::new(OsStr::from_bytes(bytes))
    }

    #[test]
    fn a_name_is_shown_on_one_line_and_commands_no_terminal() {
        let evil = b"a\nhelp: rm\r\x1b]0;title\x07\x1b[2J\xe2\x80\xaegpj.\xff\\n\xc2\x9b";
        let shown = display_name(path(evil));
        assert_eq!(
            shown,
            "a\\nhelp: rm\\r\\u{1b}]0;title\\u{7}\\u{1b}[2J\\u{202e}gpj.\\xff\\\\n\\u{9b}"
        );
        assert_eq!(
            display_name("/m/Übergröße 日本 🎉.heic"),
            "/m/Übergröße 日本 🎉.heic"
        );
    }

    #[test]
    fn json_holds_any_name() {
        let text = |bytes| serde_json::to_string(&JsonPath(path(bytes))).unwrap();
        assert_eq!(text(b"/m/a\"b"), r#""/m/a\"b""#);
        assert_eq!(
            text(b"/m/\xff"),
            r#"{"text":"/m/\\xff","bytes":"2f6d2fff"}"#
        );
    }
}
