//! A dump lies where Immich can write. Whatever was put into it, nothing but Immich's database
//! comes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use appliance_files::Owner;
use appliance_immich::database::DatabaseError;
use appliance_immich::dump::{self, DumpError, VerifiedDump};
use immich_stand_in::testing::Postgres;
use nix::sys::stat::Mode;
use tempfile::TempDir;

use crate::common::{
    changed, database, fill, ledger, leftovers, obstacles, restore, take, trusted,
};

const END: &str = "--\n-- PostgreSQL database dump complete";

/// A server and a whole dump; in `mark`, nothing may ever appear.
struct Target {
    old: Postgres,
    new: Postgres,
    media: TempDir,
}

impl Target {
    fn start() -> Result<Self, String> {
        let (old, new) = (Postgres::start()?, Postgres::start()?);
        let media = fill(&old);
        Ok(Self { old, new, media })
    }

    fn mark(&self) -> std::path::PathBuf {
        self.new.socket_dir().join("mark")
    }

    /// What comes of a dump with this before its last words.
    fn load(&self, planted: &str) -> Result<(), DatabaseError> {
        let dump = take(&database(&self.old), &self.media.path().join("backups"));
        let path = changed(&dump, |text| {
            text.replace(END, &format!("{planted}\n{END}"))
        });
        let loaded = restore(&database(&self.new), &path);
        fs::remove_file(&path).unwrap();
        assert!(!self.mark().exists(), "ran: {planted}");
        loaded
    }
}

macro_rules! target {
    () => {
        match Target::start() {
            Ok(target) => target,
            Err(reason) => return println!("SKIPPED: {reason}"),
        }
    };
}

#[test]
fn nothing_that_reaches_outside_the_database_is_loaded() {
    let target = target!();
    let mark = target.mark();
    let mark = mark.display();
    for planted in [
        format!("\\! touch {mark}"),
        format!("\\o {mark}"),
        "\\i /etc/passwd".to_owned(),
        format!("\\copy public.session from program 'touch {mark}'"),
        "\\set x `id`".to_owned(),
        format!("COPY public.session FROM PROGRAM 'touch {mark}';"),
        format!("COPY public.session TO '{mark}';"),
        "COPY public.session FROM '/etc/passwd';".to_owned(),
        "SELECT pg_read_file('/etc/passwd');".to_owned(),
        "SELECT pg_catalog.lo_import('/etc/passwd');".to_owned(),
        "SELECT pg_catalog.lo_create('12');".to_owned(),
        "CREATE FUNCTION public.f() RETURNS int AS 'x', 'y' LANGUAGE c;".to_owned(),
        "CREATE FUNCTION public.f() RETURNS int AS 'x' LANGUAGE plpython3u;".to_owned(),
        "CREATE LANGUAGE plpython3u;".to_owned(),
        "DO $$ BEGIN RAISE 'x'; END $$;".to_owned(),
        "RESET SESSION AUTHORIZATION;".to_owned(),
        "ALTER SYSTEM SET archive_command = 'id';".to_owned(),
        "COMMIT;".to_owned(),
    ] {
        let error = target.load(&planted).unwrap_err();
        let said = obstacles(&error).remove(0);
        assert!(said.starts_with("line "), "{planted}: {said}");
    }
    // Where it cannot even be told where a statement ends.
    for planted in [
        format!("SELECT 1 \\! touch {mark}"),
        format!("CREATE TABLE public.a (b int)\\! touch {mark}\n;"),
        format!("/* */ \\! touch {mark}"),
        format!("SELECT E'\\\\' \\! touch {mark} '';"),
    ] {
        let error = target.load(&planted).unwrap_err();
        let DatabaseError::BadDump { why, .. } = error else {
            panic!("{planted}");
        };
        assert!(matches!(why, DumpError::NotUnderstood { .. }), "{why}");
    }
    // With the restriction lifted that the dump itself set.
    let error = target
        .load(&format!("\\unrestrict x\n\\! touch {mark}"))
        .unwrap_err();
    assert!(matches!(error, DatabaseError::BadDump { .. }), "{error}");
    assert_eq!(leftovers(&target.new), "");
}

/// What the statements' form does not tell, the server refuses: the session was never the
/// superuser's, so nothing that runs in it can become one.
#[test]
fn what_runs_while_rows_are_loaded_has_no_more_rights_than_immich() {
    let target = target!();
    let mark = target.mark();
    let mark = mark.display();
    for body in [
        format!("COPY public.spy FROM PROGRAM ''touch {mark}''"),
        "CREATE ROLE evil SUPERUSER".to_owned(),
        "RESET SESSION AUTHORIZATION; ALTER ROLE immich SUPERUSER".to_owned(),
        "SET ROLE postgres".to_owned(),
        "SET SESSION AUTHORIZATION postgres".to_owned(),
        "SELECT pg_read_file(''/etc/passwd'')".to_owned(),
        "SELECT lo_import(''/etc/passwd'')".to_owned(),
    ] {
        // Once for each part, to go on after the harmless one.
        let planted = format!(
            "CREATE TABLE public.spy (a text);\n\
             CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n\
             EXECUTE '{body}';\nRETURN NEW;\nEND $$;\n\
             CREATE TRIGGER spy BEFORE INSERT ON public.spy FOR EACH ROW EXECUTE FUNCTION public.spy();\n\
             COPY public.spy (a) FROM stdin;\nx\n\\."
        );
        let error = target.load(&planted).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("permission denied") || said.contains("must be superuser"),
            "{body}: {said}"
        );
        let roles = "SELECT count(*) FROM pg_roles WHERE rolsuper OR rolname = 'evil'";
        assert_eq!(target.new.sql("postgres", roles).unwrap(), "1", "{body}");
    }
}

/// The superuser looks into what Immich's role can fill with functions of its own.
#[test]
fn a_function_with_the_name_of_postgresqls_own_is_not_called_by_the_superuser() {
    let target = target!();
    target
        .load(
            "CREATE FUNCTION public.format(text, name, name, name, name) RETURNS text \
             LANGUAGE plpgsql AS $$ BEGIN\n\
             EXECUTE 'ALTER ROLE immich SUPERUSER';\nRETURN 'SELECT 1, 2, 3';\nEND $$;\n\
             CREATE TABLE public.spied (a text);\n\
             CREATE FUNCTION public.on_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n\
             INSERT INTO public.spied SELECT current_user;\nRETURN NEW;\nEND $$;\n\
             CREATE TRIGGER t BEFORE UPDATE ON public.system_metadata FOR EACH ROW \
             EXECUTE FUNCTION public.on_update();\n\
             COPY public.spied (a) FROM stdin;\n\\.\n",
        )
        .unwrap();
    database(&target.new).counts().unwrap();
    database(&target.new).immich_version().unwrap();
    let mighty = "SELECT rolsuper FROM pg_roles WHERE rolname = 'immich'";
    assert_eq!(target.new.sql("postgres", mighty).unwrap(), "f");
    let spied = "SELECT count(*) FROM spied WHERE a = 'postgres'";
    assert_eq!(target.new.sql("immich", spied).unwrap(), "0");
}

#[test]
fn a_role_with_a_superusers_rights_is_not_used() {
    let target = target!();
    for (give, take) in [
        (
            "ALTER ROLE immich SUPERUSER",
            "ALTER ROLE immich NOSUPERUSER",
        ),
        (
            "GRANT pg_execute_server_program TO immich",
            "REVOKE pg_execute_server_program FROM immich",
        ),
        ("GRANT postgres TO immich", "REVOKE postgres FROM immich"),
    ] {
        target.new.sql("postgres", give).unwrap();
        let error = target.load("SET lock_timeout = 0;").unwrap_err();
        assert!(
            matches!(error, DatabaseError::RoleTooMighty(_)),
            "{give}: {error}"
        );
        target.new.sql("postgres", take).unwrap();
    }
    target.load("SET lock_timeout = 0;").unwrap();
}

/// As on the box: PostgreSQL knows each role by the OS user of its name.
#[test]
fn a_dump_is_loaded_where_the_server_trusts_nobody_but_the_owner_itself() {
    if !nix::unistd::geteuid().is_root() {
        return println!("SKIPPED: only root can be several users");
    }
    let target = target!();
    let nobody = Owner::lookup("nobody", "nogroup").unwrap();
    fs::set_permissions(target.new.socket_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    target
        .new
        .sql("postgres", "ALTER ROLE immich RENAME TO nobody")
        .unwrap();
    fs::write(
        target.new.socket_dir().join("data/pg_hba.conf"),
        "local all all peer\n",
    )
    .unwrap();
    target
        .new
        .sql("postgres", "SELECT pg_reload_conf()")
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let dump = take(&database(&target.old), &target.media.path().join("backups"));
    let connection = crate::common::connection(&target.new);
    let by_superuser = appliance_immich::database::Database::new(connection, "immich", "nobody");
    let trusted = trusted(&by_superuser, dump.verified.path()).unwrap();
    let error = by_superuser
        .restore(&trusted, false, &mut |_| {})
        .unwrap_err();
    assert!(
        error.to_string().contains("Peer authentication failed"),
        "{error}"
    );
    by_superuser
        .owned_by_os_user(nobody)
        .restore(&trusted, false, &mut |_| {})
        .unwrap();
}

#[test]
fn a_dump_that_is_exchanged_after_its_proof_is_not_loaded() {
    let target = target!();
    let dump = take(&database(&target.old), &target.media.path().join("backups"));
    let database = database(&target.new);
    let trusted = trusted(&database, dump.verified.path()).unwrap();
    let other = changed(&dump, |text| {
        text.replace("Album", "Trap").replace("All", "Bad")
    });
    fs::rename(other, dump.verified.path()).unwrap();
    let error = database.restore(&trusted, false, &mut |_| {}).unwrap_err();
    assert!(
        matches!(
            error,
            DatabaseError::BadDump {
                why: DumpError::Changed,
                ..
            }
        ),
        "{error}"
    );
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(target.new.sql("immich", tables).unwrap(), "0");
}

fn told_at_once<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver
        .recv_timeout(Duration::from_secs(60))
        .unwrap_or_else(|_| panic!("it hangs"))
}

#[test]
fn a_pipe_a_link_and_a_folder_named_like_a_dump_are_told_at_once() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(format!("{name}.sql.gz"));
    nix::unistd::mkfifo(&path("pipe"), Mode::from_bits_truncate(0o644)).unwrap();
    std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    for name in ["pipe", "link", "folder", "socket"] {
        let path = path(name);
        let (proven, verified) = told_at_once(move || {
            (
                VerifiedDump::prove(&path, "immich", None),
                dump::verify_file(&path),
            )
        });
        assert!(matches!(proven, Err(DumpError::NotAFile)), "{name}");
        assert!(matches!(verified, Err(DumpError::NotAFile)), "{name}");
    }
    drop(socket);
}

/// Enough of them that opening or remembering each would show.
#[test]
fn very_many_files_named_like_dumps_hang_nothing() {
    const MANY: usize = 20_000;
    let folder = TempDir::new().unwrap();
    let one = folder.path().join("immich-db-backup-0.sql.gz");
    fs::write(&one, "").unwrap();
    for number in 1..MANY {
        let name = format!("immich-db-backup-{number}.sql.gz");
        // Links to one empty file cost the least; a file takes only so many.
        let path = folder.path().join(name);
        if fs::hard_link(&one, &path).is_err() {
            fs::write(&path, "").unwrap();
        }
    }
    let path = folder.path().to_owned();
    let files = told_at_once(move || files_of(&path));
    assert_eq!(files, 100);
}

fn files_of(folder: &Path) -> usize {
    ledger(folder).files(folder).unwrap().len()
}
