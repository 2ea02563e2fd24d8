//! What is done with each statement of a dump. Pure.
//!
//! A dump lies where Immich can write, so it is treated as if someone else had written it: only
//! what pg_dump writes about a database of Immich is loaded, into a fresh database and as its
//! owner. What another server has and this one need not have (roles, privileges, extensions
//! that Immich does not use) is left out; anything else stops the load before it begins.

use super::counts::Table;
use super::lexer::{Token, tokens};

/// What is done with a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is run.
    Load,
    /// It is not run, and nothing of Immich is lost by that.
    LeaveOut,
    /// An extension is wanted, which is made before the load.
    Extension {
        /// Its name.
        name: String,
        /// The schema that it lies in.
        schema: String,
    },
    /// A dump with it is not loaded, for this reason.
    Refuse(&'static str),
}

/// The extensions that some version of Immich uses. Any other one in a dump was added by people.
pub const EXTENSIONS_OF_IMMICH: [&str; 8] = [
    "cube",
    "earthdistance",
    "pg_trgm",
    "unaccent",
    "uuid-ossp",
    "vector",
    "vchord",
    "vectors",
];

/// Settings of a session that a dump may make. All others change nothing that is loaded.
const SETTINGS: [&str; 12] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "client_encoding",
    "check_function_bodies",
    "xmloption",
    "client_min_messages",
    "row_security",
    "default_table_access_method",
    "search_path",
    "bytea_output",
    "intervalstyle",
];

/// Enough of a statement to know what it is.
const FEW: usize = 24;
/// Where a function says its language: after its arguments.
const MANY: usize = 20_000;

/// Tells what is done with a statement, its `;` included.
pub(crate) fn judge(statement: &[u8]) -> Verdict {
    let head = tokens(statement, FEW);
    let word = |index: usize| match head.get(index) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    match word(0) {
        "set" => setting(&head),
        "select" => select(&head),
        "create" => create(statement, &head),
        "alter" => alter(statement, &head),
        "comment" => match word(2) {
            "table" | "column" | "function" | "index" | "constraint" | "trigger" | "type"
            | "view" | "sequence" | "domain" => Verdict::Load,
            _ => Verdict::LeaveOut,
        },
        "refresh" if word(1) == "materialized" => Verdict::Load,
        "drop" | "grant" | "revoke" | "security" => Verdict::LeaveOut,
        "insert" => Verdict::Refuse("rows are written as INSERT; make the dump without --inserts"),
        "copy" => Verdict::Refuse("COPY from or to a file or a program"),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release"
        | "prepare" => Verdict::Refuse("a transaction of its own"),
        _ => Verdict::Refuse("a statement that no dump of Immich has"),
    }
}

fn setting(head: &[Token]) -> Verdict {
    let Some(name) = head.get(1).and_then(Token::name) else {
        return Verdict::Refuse("a setting that is not understood");
    };
    let value: Vec<u8> = match head.get(3) {
        Some(Token::Text(text)) => text.to_ascii_lowercase(),
        Some(Token::Word(word)) => word.clone().into_bytes(),
        _ => Vec::new(),
    };
    match name {
        // Both readers of the dump go by it.
        "standard_conforming_strings" if value != b"on" => {
            Verdict::Refuse("backslashes that escape in every text")
        }
        "client_encoding" if !matches!(value.as_slice(), b"utf8" | b"utf-8" | b"sql_ascii") => {
            Verdict::Refuse("an encoding other than UTF-8")
        }
        name if SETTINGS.contains(&name) => Verdict::Load,
        _ => Verdict::LeaveOut,
    }
}

/// Of all that a `SELECT` can do, pg_dump uses two functions.
fn select(head: &[Token]) -> Verdict {
    let refused = Verdict::Refuse("a SELECT that no dump of Immich has");
    let call = match head {
        [
            _,
            catalog,
            Token::Symbol(b'.'),
            call,
            Token::Symbol(b'('),
            ..,
        ] if catalog.is("pg_catalog") => call.name().unwrap_or_default(),
        // Statistics, which are gathered anew.
        [
            _,
            Token::Symbol(b'*'),
            from,
            catalog,
            Token::Symbol(b'.'),
            call,
            ..,
        ] if from.is("from") && catalog.is("pg_catalog") => {
            let call = call.name().unwrap_or_default();
            let known = call.starts_with("pg_restore_") && call.ends_with("_stats");
            return if known { Verdict::LeaveOut } else { refused };
        }
        _ => return refused,
    };
    let end = |rest: &[Token]| {
        matches!(
            rest,
            [Token::Symbol(b')')] | [Token::Symbol(b')'), Token::Symbol(b';')]
        )
    };
    match (call, &head[5..]) {
        (
            "set_config",
            [
                Token::Text(name),
                Token::Symbol(b','),
                Token::Text(_),
                Token::Symbol(b','),
                Token::Word(_),
                rest @ ..,
            ],
        ) if name == b"search_path" && end(rest) => Verdict::Load,
        (
            "setval",
            [
                Token::Text(_),
                Token::Symbol(b','),
                Token::Number(_),
                Token::Symbol(b','),
                Token::Word(_),
                rest @ ..,
            ],
        ) if end(rest) => Verdict::Load,
        _ => refused,
    }
}

fn create(statement: &[u8], head: &[Token]) -> Verdict {
    // What stands between CREATE and the kind of the thing.
    let mut rest = &head[1..];
    while let [Token::Word(word), after @ ..] = rest
        && matches!(
            word.as_str(),
            "or" | "replace"
                | "unlogged"
                | "unique"
                | "constraint"
                | "recursive"
                | "trusted"
                | "procedural"
        )
    {
        rest = after;
    }
    let word = |index: usize| match rest.get(index) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    match (word(0), word(1)) {
        ("extension", _) => extension(rest),
        ("schema", _) if rest.get(1).and_then(Token::name) == Some("public") => Verdict::LeaveOut,
        ("function" | "procedure", _) => function(statement),
        ("materialized", "view")
        | (
            "table" | "sequence" | "view" | "index" | "type" | "domain" | "trigger" | "rule"
            | "statistics" | "schema" | "aggregate" | "collation" | "policy",
            _,
        ) => Verdict::Load,
        ("text", "search") => Verdict::Load,
        ("operator", "class" | "family") => {
            Verdict::Refuse("an operator class, which only a superuser makes")
        }
        ("operator", _) => Verdict::Load,
        // Immich has none of these; they belong to a server or to its administrator.
        ("foreign" | "server" | "user" | "event" | "publication" | "subscription", _)
        | ("role" | "group" | "database" | "tablespace", _) => Verdict::LeaveOut,
        ("language", "plpgsql") => Verdict::LeaveOut,
        _ => Verdict::Refuse("a thing is made that no database of Immich has"),
    }
}

/// `EXTENSION IF NOT EXISTS name WITH SCHEMA schema;`
fn extension(rest: &[Token]) -> Verdict {
    let rest = match rest {
        [_, a, b, c, rest @ ..] if a.is("if") && b.is("not") && c.is("exists") => rest,
        [_, rest @ ..] => rest,
        [] => rest,
    };
    let Some(name) = rest.first().and_then(Token::name) else {
        return Verdict::Refuse("an extension that is not understood");
    };
    let schema = match rest {
        [_, with, schema, name, ..] if with.is("with") && schema.is("schema") => name.name(),
        _ => None,
    };
    Verdict::Extension {
        name: name.to_owned(),
        schema: schema.unwrap_or("public").to_owned(),
    }
}

/// Only languages that can do no more than the role that calls them.
fn function(statement: &[u8]) -> Verdict {
    let all = tokens(statement, MANY);
    if all.len() >= MANY {
        return Verdict::Refuse("a function that is too long to be understood");
    }
    let mut languages = all
        .windows(2)
        .filter(|pair| pair[0].is("language"))
        .map(|pair| match &pair[1] {
            Token::Text(text) => String::from_utf8_lossy(text).into_owned(),
            token => token.name().unwrap_or_default().to_owned(),
        })
        .peekable();
    let safe = |language: String| matches!(language.as_str(), "sql" | "plpgsql");
    if languages.peek().is_some() && languages.all(safe) {
        Verdict::Load
    } else {
        Verdict::Refuse("a function in a language that can reach outside the database")
    }
}

fn alter(statement: &[u8], head: &[Token]) -> Verdict {
    let word = |index: usize| match head.get(index) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    match word(1) {
        "table" | "sequence" | "view" | "materialized" | "index" | "type" | "domain"
        | "function" | "procedure" | "aggregate" | "schema" | "operator" | "collation"
        | "statistics" | "text" => {
            let all = tokens(statement, MANY);
            // Everything belongs to the role that loads it, and there is nothing to be dropped.
            let owner = all
                .windows(2)
                .any(|pair| pair[0].is("owner") && pair[1].is("to"));
            let drop = all.iter().take(FEW).any(|token| token.is("drop"));
            if owner || drop {
                Verdict::LeaveOut
            } else {
                Verdict::Load
            }
        }
        "database" | "role" | "user" | "group" | "default" | "event" | "publication"
        | "subscription" | "server" | "foreign" | "tablespace" | "large" | "language"
        | "procedural" => Verdict::LeaveOut,
        _ => Verdict::Refuse("a thing is changed that no database of Immich has"),
    }
}

/// The roles that a statement names: as owners, or in privileges. They need not exist here.
pub(crate) fn roles(statement: &[u8]) -> Vec<String> {
    let tokens = tokens(statement, MANY);
    let from = match tokens.first() {
        Some(Token::Word(word)) if word == "grant" => {
            tokens.iter().rposition(|token| token.is("to"))
        }
        Some(Token::Word(word)) if word == "revoke" => {
            tokens.iter().rposition(|token| token.is("from"))
        }
        Some(Token::Word(word)) if word == "alter" => tokens
            .windows(2)
            .position(|pair| pair[0].is("owner") && pair[1].is("to"))
            .map(|at| at + 1),
        Some(Token::Word(word)) if word == "create" => {
            tokens.get(1).filter(|token| token.is("role")).map(|_| 1)
        }
        _ => None,
    };
    let Some(from) = from else {
        return Vec::new();
    };
    tokens[from + 1..]
        .iter()
        .take_while(|token| token.name().is_some() || **token == Token::Symbol(b','))
        .take_while(|token| !token.is("with") && !token.is("granted"))
        .filter_map(Token::name)
        .filter(|name| !matches!(*name, "public" | "current_user" | "session_user"))
        .map(str::to_owned)
        .collect()
}

/// The table and the columns of a `COPY … FROM stdin;`. `None` for any other statement;
/// `Some(None)` for one that is not written as pg_dump writes it.
#[allow(
    clippy::option_option,
    reason = "not a COPY, and not a COPY that is understood, are two things"
)]
pub(super) fn copy_target(statement: &[u8]) -> Option<Option<(Table, Vec<String>)>> {
    if !statement
        .get(..5)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"copy "))
    {
        return None;
    }
    let tokens = tokens(statement, MANY);
    if !tokens.iter().any(|token| token.is("stdin")) {
        return None;
    }
    Some(target(&tokens))
}

fn target(tokens: &[Token]) -> Option<(Table, Vec<String>)> {
    let [_, schema, Token::Symbol(b'.'), name, rest @ ..] = tokens else {
        return None;
    };
    let table = Table {
        schema: schema.name()?.to_owned(),
        name: name.name()?.to_owned(),
    };
    let mut columns = Vec::new();
    let rest = match rest {
        [Token::Symbol(b'('), rest @ ..] => {
            let end = rest
                .iter()
                .position(|token| *token == Token::Symbol(b')'))?;
            for (index, token) in rest[..end].iter().enumerate() {
                match token {
                    Token::Symbol(b',') if index % 2 == 1 => {}
                    token if index % 2 == 0 => columns.push(token.name()?.to_owned()),
                    _ => return None,
                }
            }
            &rest[end + 1..]
        }
        rest => rest,
    };
    match rest {
        [from, stdin, Token::Symbol(b';')] if from.is("from") && stdin.is("stdin") => {
            Some((table, columns))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
