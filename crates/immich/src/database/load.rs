//! Loads a proven dump, statement by statement, as the role that owns the database.
//!
//! Nothing that a dump says runs with more rights than Immich itself has: the session is begun by
//! Immich's role, psql's own commands are switched off by a key that the dump does not know, and
//! only statements are handed over that [`judge`] knows. What needs a superuser (the database and
//! its extensions) is made before, from their names alone.

use std::io::{self, Write};

use super::{Database, DatabaseError, Result, failed};
use crate::dump::{
    DumpError, Event, PgVersion, Script, Table, Verdict, VerifiedDump, Whereabouts,
    dump_read_error, judge,
};

/// Settings that both readers of the dump go by, whatever the role or the database says.
const BEFORE: &str = "SET standard_conforming_strings = on;\nSET client_encoding = 'UTF8';\n";

/// How a load ended.
enum LoadError {
    /// The dump cannot be read, or is not what was proven.
    Dump(DumpError),
    /// psql does not take any more.
    Write(io::Error),
}

impl Database {
    /// Loads a dump into an empty database that Immich's role owns, in one transaction.
    /// `on_read` gets the bytes of plain SQL read so far.
    pub(super) fn load(
        &self,
        dump: &VerifiedDump,
        into: &str,
        on_read: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let psql_version = self.connection.psql_version()?;
        if !knows_restrict(&psql_version) {
            return Err(DatabaseError::OldPsql(psql_version));
        }
        let doing = format!("load the dump {}", dump.path().display());
        let mut psql = self.connection.load(&doing, into, &self.owner_login())?;
        let mut stdin = psql.stdin()?;
        let copied = copy(dump, &mut stdin, on_read);
        match copied {
            Ok(()) => {
                drop(stdin);
                Ok(psql.finish()?)
            }
            Err(LoadError::Dump(why)) => {
                // It must not see an end of its input, which it would commit.
                psql.abort();
                Err(DatabaseError::BadDump {
                    path: dump.path().to_owned(),
                    why,
                })
            }
            Err(LoadError::Write(source)) => {
                drop(stdin);
                // It stopped at an error, which says more than the broken pipe.
                psql.finish()?;
                Err(failed("hand over", dump.path())(source))
            }
        }
    }
}

/// Hands over what is to be loaded. Ends well only if the file was to its end what was proven.
fn copy(
    dump: &VerifiedDump,
    to: &mut impl Write,
    on_read: &mut dyn FnMut(u64),
) -> std::result::Result<(), LoadError> {
    // Letters and digits, as psql wants it.
    let key = uuid::Uuid::new_v4().simple();
    let mut write = |bytes: &[u8]| to.write_all(bytes).map_err(LoadError::Write);
    write(format!("\\restrict {key}\n{BEFORE}").as_bytes())?;
    let source = dump.open().map_err(LoadError::Dump)?;
    let mut script = Script::new(source, dump_read_error);
    let mut whereabouts = Whereabouts::at_the_beginning(dump);
    let mut in_rows = false;
    loop {
        let mut failure = None;
        let event = script
            .next(&mut |bytes| {
                if in_rows && failure.is_none() {
                    failure = write(bytes).err();
                }
                Ok(())
            })
            .map_err(LoadError::Dump)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        match event {
            None => break,
            Some(Event::Command(line)) => whereabouts.command(line),
            Some(Event::Statement(text)) if whereabouts.inside() => match judge(text) {
                Verdict::Load => {
                    write(text)?;
                    write(b"\n")?;
                }
                Verdict::LeaveOut | Verdict::Extension { .. } => {}
                // It was refused before it came here, so this is another file.
                Verdict::Refuse(_) => return Err(LoadError::Dump(DumpError::Changed)),
            },
            Some(Event::Copy { text, .. }) if whereabouts.inside() => {
                in_rows = true;
                write(text)?;
                write(b"\n")?;
            }
            Some(Event::Row { head, long }) if in_rows => {
                if !long {
                    write(head)?;
                }
                write(b"\n")?;
            }
            Some(Event::EndOfRows) if in_rows => {
                in_rows = false;
                write(b"\\.\n")?;
            }
            Some(_) => {}
        }
        on_read(script.bytes());
    }
    if !dump.is_what_was_proven(script.into_inner()) {
        return Err(LoadError::Dump(DumpError::Changed));
    }
    if dump.in_maintenance() {
        write(end_of_maintenance().as_bytes())?;
    }
    to.flush().map_err(LoadError::Write)
}

/// Immich would come up in maintenance mode, as after its own restore points. By the role that
/// owns the table: a trigger on it could be of anyone's making.
fn end_of_maintenance() -> String {
    format!(
        "UPDATE {} SET value = '{{\"isMaintenanceMode\": false}}' WHERE key = 'maintenance-mode';\n",
        Table::immich("system_metadata").quoted()
    )
}

/// `\restrict` came with the fixes of August 2025.
fn knows_restrict(psql: &PgVersion) -> bool {
    let minor = psql.minor();
    match psql.major() {
        Some(13) => minor >= 22,
        Some(14) => minor >= 19,
        Some(15) => minor >= 14,
        Some(16) => minor >= 10,
        Some(17) => minor >= 6,
        Some(major) => major >= 18,
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed over of a dump, without the key.
    fn handed_over(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.sql");
        std::fs::write(&path, text).unwrap();
        let dump = VerifiedDump::prove(&path, "immich", None).unwrap();
        let mut out = Vec::new();
        let copied = copy(&dump, &mut out, &mut |_| {});
        assert!(copied.is_ok());
        let out = String::from_utf8(out).unwrap();
        let (restrict, rest) = out.split_once('\n').unwrap();
        assert!(restrict.starts_with("\\restrict ") && restrict.len() == 42);
        rest.strip_prefix(BEFORE).unwrap().to_owned()
    }

    const ROWS: &str = "COPY public.asset (id) FROM stdin;\n1\n\\.\n\
        COPY public.\"user\" (id) FROM stdin;\n\
        ALTER TABLE a OWNER TO b;\nSET transaction_timeout = 0;\n\\\\.\n\\.\n";
    const START: &str = "--\n-- PostgreSQL database dump\n--\n\n";
    const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

    #[test]
    fn statements_and_rows_pass_and_what_belongs_elsewhere_does_not() {
        let text = format!(
            "{START}\\restrict x\n\nSET transaction_timeout = 0;\nSET row_security = off;\n\
             DROP TABLE public.asset;\nCREATE EXTENSION vector;\n\
             CREATE TABLE public.asset (\n    id uuid\n);\nALTER TABLE public.asset OWNER TO postgres;\n\
             GRANT ALL ON TABLE public.asset TO grafana;\n{ROWS}{END}\\unrestrict x\n\n"
        );
        assert_eq!(
            handed_over(&text),
            format!(
                "SET row_security = off;\nCREATE TABLE public.asset (\n    id uuid\n);\n{ROWS}"
            )
        );
    }

    #[test]
    fn only_immichs_part_is_taken_out_of_a_cluster_dump() {
        let text = format!(
            "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE immich;\n\
             \\connect template1\n{START}CREATE TABLE t1 (a int);\nDO $$ BEGIN END $$;\n\
             COPY public.x (a) FROM stdin;\n1\n\\.\n{END}\
             CREATE DATABASE immich;\n\\connect immich\n{START}{ROWS}{END}\
             \\connect postgres\n{START}CREATE TABLE t2 (a int);\n{END}\
             --\n-- PostgreSQL database cluster dump complete\n--\n\n"
        );
        assert_eq!(handed_over(&text), ROWS);
    }

    #[test]
    fn a_dump_that_changes_after_its_proof_is_not_handed_over_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.sql");
        let text = format!("{START}{ROWS}{END}");
        std::fs::write(&path, &text).unwrap();
        let dump = VerifiedDump::prove(&path, "immich", None).unwrap();
        std::fs::write(&path, text.replace("\n1\n", "\n2\n")).unwrap();
        let copied = copy(&dump, &mut Vec::new(), &mut |_| {});
        assert!(matches!(copied, Err(LoadError::Dump(DumpError::Changed))));
    }

    #[test]
    fn a_long_row_is_handed_over_whole() {
        let long = "x".repeat(3 << 20);
        let rows = ROWS.replace("\n1\n", &format!("\n{long}\n"));
        assert!(handed_over(&format!("{START}{rows}{END}")) == rows);
    }
}
