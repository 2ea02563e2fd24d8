//! The few lines of a dump that matter, told from all others. Pure.

use super::counts::Table;
use super::{Kind, PgVersion};

/// A comment, or a command of psql, between statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remark {
    /// The title at the beginning.
    Title(Kind),
    /// pg_dump's last words.
    Complete(Kind),
    /// The server's version.
    Server(PgVersion),
    /// The tool's version.
    Tool(PgVersion),
    /// psql takes no commands of its own from here on.
    Restrict,
    /// It does so again.
    Unrestrict,
    /// Another database's turn.
    Connect(String),
    /// Anything else.
    Other,
}

/// Tells what a line outside a table's rows is. `line` is without its line feed.
pub(crate) fn classify(line: &[u8]) -> Remark {
    match line.first() {
        Some(b'-') => comment(line),
        Some(b'\\') => command(line),
        _ => Remark::Other,
    }
}

fn comment(line: &[u8]) -> Remark {
    match line {
        b"-- PostgreSQL database dump" => return Remark::Title(Kind::Database),
        b"-- PostgreSQL database cluster dump" => return Remark::Title(Kind::Cluster),
        b"-- PostgreSQL database dump complete" => return Remark::Complete(Kind::Database),
        b"-- PostgreSQL database cluster dump complete" => {
            return Remark::Complete(Kind::Cluster);
        }
        _ => {}
    }
    let version = |text: &[u8]| PgVersion(String::from_utf8_lossy(text).trim().to_owned());
    if let Some(text) = line.strip_prefix(b"-- Dumped from database version ") {
        Remark::Server(version(text))
    } else if let Some(text) = line.strip_prefix(b"-- Dumped by pg_dump version ") {
        Remark::Tool(version(text))
    } else {
        Remark::Other
    }
}

fn command(line: &[u8]) -> Remark {
    if line.starts_with(b"\\restrict ") {
        Remark::Restrict
    } else if line.starts_with(b"\\unrestrict ") {
        Remark::Unrestrict
    } else if let Some(target) = line.strip_prefix(b"\\connect ") {
        Remark::Connect(connect_target(target))
    } else {
        Remark::Other
    }
}

/// `immich`, `"im mich"` or `-reuse-previous=on "dbname='im mich'"`.
fn connect_target(target: &[u8]) -> String {
    let target = target
        .strip_prefix(b"-reuse-previous=on ")
        .unwrap_or(target)
        .trim_ascii();
    let text = match identifier(target) {
        Some((name, _)) => name,
        None => String::from_utf8_lossy(target).into_owned(),
    };
    match text
        .strip_prefix("dbname='")
        .and_then(|rest| rest.strip_suffix('\''))
    {
        Some(name) => name.replace("\\'", "'").replace("\\\\", "\\"),
        None => text,
    }
}

/// Reads `schema.table`, each quoted or not, off the beginning; gives the rest.
pub(super) fn table(text: &[u8]) -> Option<(Table, &[u8])> {
    let (schema, rest) = identifier(text)?;
    let (name, rest) = identifier(rest.strip_prefix(b".")?)?;
    Some((Table { schema, name }, rest))
}

/// Reads an identifier, quoted or not, off the beginning; gives the rest.
pub(crate) fn identifier(text: &[u8]) -> Option<(String, &[u8])> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'$';
        // Letters beyond ASCII need no quotes either.
        let end = text
            .iter()
            .position(|byte| !(plain(byte) || *byte >= 0x80))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name = std::str::from_utf8(name).ok()?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = Vec::new();
    loop {
        let quote = memchr::memchr(b'"', rest)?;
        name.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(after) => {
                name.push(b'"');
                rest = after;
            }
            None => return Some((String::from_utf8(name).ok()?, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_of_database_is_read_in_every_spelling() {
        for (line, name) in [
            ("\\connect immich", "immich"),
            ("\\connect \"im mich\"", "im mich"),
            (
                "\\connect -reuse-previous=on \"dbname='im mich'\"",
                "im mich",
            ),
        ] {
            assert_eq!(
                classify(line.as_bytes()),
                Remark::Connect(name.into()),
                "{line}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            classify(&line);
        }

        #[test]
        fn no_ending_of_a_known_beginning_makes_it_panic(
            start in prop::sample::select(vec!["\\connect ", "\\connect -reuse-previous=on \"dbname='", "-- Dumped from database version "]),
            rest in prop::collection::vec(any::<u8>(), 0..50),
            end in prop::sample::select(vec!["", " FROM stdin;", "'\""]),
        ) {
            classify(&[start.as_bytes(), &rest, end.as_bytes()].concat());
        }
    }
}
