//! Makes a dump fit the server it is loaded into, line by line. Table rows pass untouched.

use std::io::{self, Read, Write};

use crate::dump::{Kind, LineReader, PgVersion, Statement, classify, identifier, quote};

/// What has to be changed on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    kind: Kind,
    /// The database wanted out of a cluster dump.
    database: String,
    /// Every object is given to this role, whatever it was called where the dump was taken: the
    /// official images, for example, own everything as `postgres`.
    owner: String,
    /// psql does not know `\restrict`.
    drop_restrict: bool,
    /// The server does not know `transaction_timeout`, which a newer pg_dump sets.
    drop_transaction_timeout: bool,
}

/// Where in the dump the filter is.
enum Place {
    /// In a part that is not wanted.
    Skipped,
    /// Among statements to be loaded.
    Statements,
    /// Among rows.
    Rows { wanted: bool },
    /// After the wanted database's last words; only psql's restriction is still to be lifted.
    Done,
}

impl Filter {
    pub(super) fn new(
        kind: Kind,
        database: &str,
        owner: &str,
        psql: &PgVersion,
        server: &PgVersion,
    ) -> Self {
        Self {
            kind,
            database: database.to_owned(),
            owner: owner.to_owned(),
            drop_restrict: !knows_restrict(psql),
            drop_transaction_timeout: server.major().is_some_and(|major| major < 17),
        }
    }

    /// Copies a dump, in plain SQL, as it has to be loaded. `on_read` gets the bytes read so far.
    pub(super) fn copy(
        &self,
        from: impl Read,
        to: &mut impl Write,
        on_read: &mut dyn FnMut(u64),
    ) -> Result<(), CopyError> {
        let mut place = match self.kind {
            Kind::Database => Place::Statements,
            Kind::Cluster => Place::Skipped,
        };
        let mut reader = LineReader::new(from);
        let (mut head, mut done) = (Vec::new(), 0);
        loop {
            let pass_long = matches!(place, Place::Statements | Place::Rows { wanted: true });
            let mut write_error = None;
            let read = reader.read_line(&mut head, &mut |bytes| {
                if pass_long && write_error.is_none() {
                    write_error = to.write_all(bytes).err();
                }
                Ok(())
            });
            if let Some(error) = write_error {
                return Err(CopyError::Write(error));
            }
            let Some(line) = read.map_err(CopyError::Read)? else {
                return to.flush().map_err(CopyError::Write);
            };
            done += line.length + 1;
            on_read(done);
            let written = if line.long {
                if pass_long {
                    to.write_all(b"\n")
                } else {
                    Ok(())
                }
            } else {
                match self.line(&mut place, &head) {
                    Output::Same => to.write_all(&head).and_then(|()| to.write_all(b"\n")),
                    Output::Changed(text) => to.write_all(&text),
                    Output::Nothing => Ok(()),
                }
            };
            written.map_err(CopyError::Write)?;
        }
    }

    fn line(&self, place: &mut Place, head: &[u8]) -> Output {
        if let Place::Rows { wanted } = *place {
            if head == b"\\." {
                *place = if wanted {
                    Place::Statements
                } else {
                    Place::Skipped
                };
            }
            return if wanted {
                Output::Same
            } else {
                Output::Nothing
            };
        }
        let statement = classify(head);
        match (&place, statement) {
            (_, Statement::Connect(database)) => {
                if self.kind == Kind::Cluster {
                    *place = if database == self.database {
                        Place::Statements
                    } else {
                        Place::Skipped
                    };
                }
                Output::Nothing
            }
            (Place::Statements, Statement::Copy(_)) => {
                *place = Place::Rows { wanted: true };
                Output::Same
            }
            (_, Statement::Copy(_)) => {
                *place = Place::Rows { wanted: false };
                Output::Nothing
            }
            (Place::Done, Statement::Unrestrict) if !self.drop_restrict => {
                *place = Place::Skipped;
                Output::Same
            }
            (Place::Statements, Statement::Restrict | Statement::Unrestrict)
                if !self.drop_restrict =>
            {
                Output::Same
            }
            (_, Statement::Restrict | Statement::Unrestrict) => Output::Nothing,
            (Place::Statements, Statement::Complete(Kind::Database)) => {
                if self.kind == Kind::Cluster {
                    *place = Place::Done;
                }
                Output::Same
            }
            (Place::Statements, _) => self.statement(head),
            _ => Output::Nothing,
        }
    }

    fn statement(&self, head: &[u8]) -> Output {
        if self.drop_transaction_timeout && head == b"SET transaction_timeout = 0;" {
            return Output::Nothing;
        }
        // Belongs to the database itself, which is made before the load.
        let database: [&[u8]; 4] = [
            b"CREATE DATABASE ",
            b"ALTER DATABASE ",
            b"DROP DATABASE ",
            b"COMMENT ON DATABASE ",
        ];
        if head.ends_with(b";") && database.iter().any(|start| head.starts_with(start)) {
            return Output::Nothing;
        }
        match self.given_away(head) {
            Some(text) => Output::Changed(text),
            None => Output::Same,
        }
    }

    /// `ALTER … OWNER TO someone;` for this owner. An event trigger's must be a superuser.
    fn given_away(&self, head: &[u8]) -> Option<Vec<u8>> {
        const OWNER_TO: &[u8] = b" OWNER TO ";
        if !head.starts_with(b"ALTER ") || head.starts_with(b"ALTER EVENT TRIGGER ") {
            return None;
        }
        let at = memchr::memmem::rfind(head, OWNER_TO)?;
        let rest = &head[at + OWNER_TO.len()..];
        if !matches!(identifier(rest), Some((_, b";"))) {
            return None;
        }
        let mut text = head[..at + OWNER_TO.len()].to_vec();
        text.extend_from_slice(quote(&self.owner).as_bytes());
        text.extend_from_slice(b";\n");
        Some(text)
    }
}

enum Output {
    Same,
    Changed(Vec<u8>),
    Nothing,
}

/// Which side of a copy failed.
#[derive(Debug)]
pub(super) enum CopyError {
    Read(io::Error),
    Write(io::Error),
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
    use proptest::prelude::*;

    fn version(text: &str) -> PgVersion {
        PgVersion(text.to_owned())
    }

    fn filter(kind: Kind, psql: &str, server: &str) -> Filter {
        Filter::new(kind, "immich", "immich", &version(psql), &version(server))
    }

    fn copied(filter: &Filter, text: &str) -> String {
        let mut out = Vec::new();
        filter.copy(text.as_bytes(), &mut out, &mut |_| {}).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_dump_of_this_machine_passes_unchanged() {
        let text = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\nSET row_security = off;\n\
            ALTER TABLE public.asset ADD CONSTRAINT x CHECK (true);\n\
            COPY public.asset (id) FROM stdin;\n1\tALTER TABLE x OWNER TO y;\n\\.\n\n\\unrestrict x\n\n";
        assert_eq!(
            copied(&filter(Kind::Database, "15.20", "15.20"), text),
            text
        );
    }

    #[test]
    fn what_an_old_psql_or_server_does_not_know_is_left_out() {
        let text = "\\restrict x\nSET transaction_timeout = 0;\nSELECT 1;\n\\unrestrict x\n";
        assert_eq!(
            copied(&filter(Kind::Database, "15.13", "15.13"), text),
            "SELECT 1;\n"
        );
        assert_eq!(copied(&filter(Kind::Database, "17.6", "17.6"), text), text);
    }

    #[test]
    fn everything_is_given_to_immich_but_event_triggers() {
        let text = "ALTER TABLE public.asset OWNER TO postgres;\n\
            ALTER FUNCTION public.f(a text) OWNER TO \"im mich\";\n\
            ALTER EVENT TRIGGER t OWNER TO postgres;\n";
        assert_eq!(
            copied(&filter(Kind::Database, "15.20", "15.20"), text),
            "ALTER TABLE public.asset OWNER TO \"immich\";\n\
            ALTER FUNCTION public.f(a text) OWNER TO \"immich\";\n\
            ALTER EVENT TRIGGER t OWNER TO postgres;\n"
        );
    }

    #[test]
    fn rows_are_never_changed() {
        let text = "COPY public.t (a) FROM stdin;\n\\restrict x\nALTER TABLE a OWNER TO b;\n\
            SET transaction_timeout = 0;\n\\.\n";
        assert_eq!(
            copied(&filter(Kind::Database, "15.13", "15.13"), text),
            text
        );
    }

    #[test]
    fn only_immichs_part_is_taken_out_of_a_cluster_dump() {
        let text = "\\restrict a\nDROP ROLE IF EXISTS postgres;\n\\unrestrict a\n\
            \\connect template1\nDROP TABLE t1;\n\
            COPY public.x (a) FROM stdin;\n\\.\n\
            -- PostgreSQL database dump complete\n\\unrestrict b\n\
            \\restrict c\nCREATE DATABASE immich;\n\\unrestrict c\n\\connect immich\n\\restrict c\n\
            SELECT 'immich';\nCOPY public.y (a) FROM stdin;\n1\n\\.\n\
            \\unrestrict c\n\\connect immich\n\\restrict c\nALTER DATABASE immich SET x = 1;\n\
            -- PostgreSQL database dump complete\n\\unrestrict c\n\
            \\restrict d\nCREATE DATABASE postgres;\n\\unrestrict d\n\\connect postgres\nSELECT 'no';\n";
        assert_eq!(
            copied(&filter(Kind::Cluster, "15.20", "15.20"), text),
            "\\restrict c\nSELECT 'immich';\nCOPY public.y (a) FROM stdin;\n1\n\\.\n\
            \\unrestrict c\n\\restrict c\n-- PostgreSQL database dump complete\n\\unrestrict c\n"
        );
    }

    #[test]
    fn a_failing_read_is_told_from_a_failing_write() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        let filter = filter(Kind::Database, "15.20", "15.20");
        let read = filter.copy(Broken, &mut io::sink(), &mut |_| {});
        assert!(matches!(read, Err(CopyError::Read(_))));
        let long = "x".repeat(1 << 20);
        let full = filter.copy(long.as_bytes(), &mut &mut [0_u8; 10][..], &mut |_| {});
        assert!(matches!(full, Err(CopyError::Write(_))));
    }

    proptest! {
        #[test]
        fn rows_of_any_bytes_pass_untouched(rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let mut text = b"COPY public.asset (id) FROM stdin;\n".to_vec();
            for row in rows {
                let row: Vec<u8> = row.into_iter().filter(|byte| *byte != b'\n').collect();
                if row != b"\\." {
                    text.extend(row);
                    text.push(b'\n');
                }
            }
            text.extend(b"\\.\n");
            let mut out = Vec::new();
            filter(Kind::Database, "15.1", "15.1").copy(&text[..], &mut out, &mut |_| {}).unwrap();
            prop_assert_eq!(out, text);
        }
    }
}
