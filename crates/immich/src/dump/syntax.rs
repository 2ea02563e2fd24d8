//! The few lines of a dump that matter, told from all others. Pure.

use super::{Kind, PgVersion, Table};

/// A line outside a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    /// The title at the beginning.
    Title(Kind),
    /// pg_dump's last words.
    Complete(Kind),
    /// The server's version.
    Server(PgVersion),
    /// The tool's version.
    Tool(PgVersion),
    /// A table's rows follow.
    Copy(Table),
    /// A `COPY … FROM stdin;` that cannot be understood.
    BadCopy,
    /// psql takes no commands of its own from here on.
    Restrict,
    /// It does so again.
    Unrestrict,
    /// Another database's turn.
    Connect(String),
    /// An extension is needed.
    Extension(String),
    /// Anything else.
    Other,
}

/// The line that ends a table's rows.
pub(crate) const END_OF_ROWS: &[u8] = b"\\.";

/// Tells what a line outside a table's rows is. `line` is without its line feed.
pub(crate) fn classify(line: &[u8]) -> Statement {
    match line.first() {
        Some(b'-') => comment(line),
        Some(b'\\') => command(line),
        Some(b'C') => statement(line),
        _ => Statement::Other,
    }
}

fn comment(line: &[u8]) -> Statement {
    match line {
        b"-- PostgreSQL database dump" => return Statement::Title(Kind::Database),
        b"-- PostgreSQL database cluster dump" => return Statement::Title(Kind::Cluster),
        b"-- PostgreSQL database dump complete" => return Statement::Complete(Kind::Database),
        b"-- PostgreSQL database cluster dump complete" => {
            return Statement::Complete(Kind::Cluster);
        }
        _ => {}
    }
    let version = |text: &[u8]| PgVersion(String::from_utf8_lossy(text).trim().to_owned());
    if let Some(text) = line.strip_prefix(b"-- Dumped from database version ") {
        Statement::Server(version(text))
    } else if let Some(text) = line.strip_prefix(b"-- Dumped by pg_dump version ") {
        Statement::Tool(version(text))
    } else {
        Statement::Other
    }
}

fn command(line: &[u8]) -> Statement {
    if line.starts_with(b"\\restrict ") {
        Statement::Restrict
    } else if line.starts_with(b"\\unrestrict ") {
        Statement::Unrestrict
    } else if let Some(target) = line.strip_prefix(b"\\connect ") {
        Statement::Connect(connect_target(target))
    } else {
        Statement::Other
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

fn statement(line: &[u8]) -> Statement {
    if let Some(rest) = line.strip_prefix(b"CREATE EXTENSION IF NOT EXISTS ") {
        return identifier(rest).map_or(Statement::Other, |(name, _)| Statement::Extension(name));
    }
    let Some(rest) = line.strip_prefix(b"COPY ") else {
        return Statement::Other;
    };
    if !line.ends_with(b" FROM stdin;") {
        return Statement::Other;
    }
    match table(rest) {
        Some((table, rest)) if rest.starts_with(b" ") => Statement::Copy(table),
        _ => Statement::BadCopy,
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

    fn copy(schema: &str, name: &str) -> Statement {
        Statement::Copy(Table {
            schema: schema.into(),
            name: name.into(),
        })
    }

    #[test]
    fn tables_are_read_quoted_or_not() {
        let cases = [
            (
                "COPY public.asset (id, \"ownerId\") FROM stdin;",
                copy("public", "asset"),
            ),
            (
                "COPY public.\"user\" (id) FROM stdin;",
                copy("public", "user"),
            ),
            (
                "COPY \"a.b\".\"we\"\"ird. t\" (id) FROM stdin;",
                copy("a.b", "we\"ird. t"),
            ),
            (
                "COPY public.größe (id) FROM stdin;",
                copy("public", "größe"),
            ),
            ("COPY public.none  FROM stdin;", copy("public", "none")),
            ("COPY asset (id) FROM stdin;", Statement::BadCopy),
            ("COPY public.\"user (id) FROM stdin;", Statement::BadCopy),
            ("COPY public.asset TO stdout;", Statement::Other),
        ];
        for (line, expected) in cases {
            assert_eq!(classify(line.as_bytes()), expected, "{line}");
        }
    }

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
                Statement::Connect(name.into()),
                "{line}"
            );
        }
    }

    #[test]
    fn extensions_are_told() {
        assert_eq!(
            classify(b"CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;"),
            Statement::Extension("uuid-ossp".into())
        );
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            classify(&line);
        }

        #[test]
        fn no_ending_of_a_known_beginning_makes_it_panic(
            start in prop::sample::select(vec!["COPY ", "COPY \"", "\\connect ", "\\connect -reuse-previous=on \"dbname='", "CREATE EXTENSION IF NOT EXISTS ", "-- Dumped from database version "]),
            rest in prop::collection::vec(any::<u8>(), 0..50),
            end in prop::sample::select(vec!["", " FROM stdin;", "'\""]),
        ) {
            classify(&[start.as_bytes(), &rest, end.as_bytes()].concat());
        }
    }
}
