use super::*;

#[test]
fn what_pg_dump_writes_about_immich_is_loaded() {
    for statement in [
        "SET statement_timeout = 0;",
        "SET client_encoding = 'UTF8';",
        "SELECT pg_catalog.set_config('search_path', '', false);",
        "SELECT pg_catalog.setval('public.s', 12, true);",
        "CREATE TYPE public.assets_status_enum AS ENUM (\n    'active'\n);",
        "CREATE FUNCTION public.f() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $$ BEGIN RETURN NULL; END $$;",
        "CREATE FUNCTION public.ll(a double precision) RETURNS public.earth\n    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE\n    AS $$ select 1 $$;",
        "CREATE UNLOGGED TABLE public.a (id uuid);",
        "CREATE UNIQUE INDEX i ON public.asset USING btree (\"ownerId\");",
        "CREATE TRIGGER t AFTER DELETE ON public.asset REFERENCING OLD TABLE AS old FOR EACH STATEMENT EXECUTE FUNCTION public.f();",
        "ALTER TABLE ONLY public.asset ADD CONSTRAINT x PRIMARY KEY (id);",
        "ALTER TABLE ONLY public.smart_search ALTER COLUMN embedding SET STORAGE EXTERNAL;",
        "COMMENT ON COLUMN public.asset.id IS 'x';",
    ] {
        assert_eq!(judge(statement.as_bytes()), Verdict::Load, "{statement}");
    }
}

#[test]
fn what_belongs_to_another_server_is_left_out() {
    for statement in [
        "SET transaction_timeout = 0;",
        "SET default_with_oids = false;",
        "SET default_tablespace = fast;",
        "SET SESSION AUTHORIZATION 'postgres';",
        "SET ROLE postgres;",
        "GRANT SELECT ON TABLE public.asset TO grafana;",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO grafana;",
        "ALTER TABLE public.asset OWNER TO postgres;",
        "ALTER FUNCTION public.f(a text) OWNER TO \"im mich\";",
        "ALTER TABLE ONLY public.asset DROP CONSTRAINT x;",
        "DROP SCHEMA IF EXISTS public;",
        "CREATE SCHEMA public;",
        "COMMENT ON EXTENSION vector IS 'x';",
        "CREATE ROLE grafana;",
        "CREATE PUBLICATION all_tables FOR ALL TABLES;",
        "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION public.f();",
        "ALTER DATABASE immich SET vchordrq.probes TO '1';",
    ] {
        assert_eq!(
            judge(statement.as_bytes()),
            Verdict::LeaveOut,
            "{statement}"
        );
    }
}

#[test]
fn what_could_reach_outside_the_database_is_refused() {
    for statement in [
        "COPY public.asset FROM PROGRAM 'id';",
        "COPY public.asset FROM '/etc/passwd';",
        "COPY public.asset TO '/tmp/x';",
        "SELECT pg_read_file('/etc/passwd');",
        "SELECT pg_catalog.pg_read_file('/etc/passwd');",
        "SELECT pg_catalog.lo_import('/etc/passwd');",
        "SELECT pg_catalog.set_config('search_path', pg_read_file('x'), false);",
        "SELECT pg_catalog.set_config('role', 'postgres', false);",
        "SELECT pg_catalog.setval('s', 1, true), pg_catalog.lo_import('/x');",
        "SELECT * FROM pg_catalog.pg_ls_dir('/');",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE c AS 'x', 'y';",
        "CREATE FUNCTION public.f() RETURNS int AS 'x' LANGUAGE 'plpython3u';",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql LANGUAGE internal AS 'x';",
        "CREATE FUNCTION public.f() RETURNS int AS 'language sql';",
        "CREATE LANGUAGE plpython3u;",
        "CREATE CAST (text AS int) WITH INOUT;",
        "DO $$ BEGIN PERFORM 1; END $$;",
        "CALL public.p();",
        "COMMIT;",
        "RESET SESSION AUTHORIZATION;",
        "RESET ROLE;",
        "LOAD 'x';",
        "ALTER SYSTEM SET archive_command = 'id';",
        "ALTER EXTENSION vector ADD FUNCTION public.f();",
        "SET standard_conforming_strings = off;",
        "SET client_encoding = 'SJIS';",
        "WITH x AS (SELECT 1) SELECT * FROM x;",
        "DELETE FROM public.asset;",
        "INSERT INTO public.asset VALUES (1);",
        "",
        ";",
    ] {
        assert!(
            matches!(judge(statement.as_bytes()), Verdict::Refuse(_)),
            "{statement}"
        );
    }
}

#[test]
fn an_extension_is_told_with_its_schema() {
    let extension = |name: &str, schema: &str| Verdict::Extension {
        name: name.into(),
        schema: schema.into(),
    };
    for (statement, verdict) in [
        (
            "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;",
            extension("uuid-ossp", "public"),
        ),
        (
            "CREATE EXTENSION vectors WITH SCHEMA vectors;",
            extension("vectors", "vectors"),
        ),
        (
            "CREATE EXTENSION IF NOT EXISTS cube;",
            extension("cube", "public"),
        ),
    ] {
        assert_eq!(judge(statement.as_bytes()), verdict);
    }
}

#[test]
fn roles_are_found_wherever_they_are_named() {
    for (statement, named) in [
        (
            "GRANT SELECT ON TABLE public.\"to\" TO grafana, \"x y\" WITH GRANT OPTION;",
            vec!["grafana", "x y"],
        ),
        ("REVOKE ALL ON SCHEMA public FROM PUBLIC;", vec![]),
        (
            "ALTER TABLE public.asset OWNER TO postgres;",
            vec!["postgres"],
        ),
        ("CREATE ROLE immich;", vec!["immich"]),
        ("CREATE TABLE public.a (b int);", vec![]),
    ] {
        assert_eq!(roles(statement.as_bytes()), named, "{statement}");
    }
}

#[test]
fn tables_and_columns_are_read_quoted_or_not() {
    let copy = |schema: &str, name: &str, columns: &[&str]| {
        let table = Table {
            schema: schema.into(),
            name: name.into(),
        };
        Some(Some((
            table,
            columns.iter().map(|c| (*c).to_owned()).collect(),
        )))
    };
    for (statement, expected) in [
        (
            "COPY public.asset (id, \"ownerId\") FROM stdin;",
            copy("public", "asset", &["id", "ownerId"]),
        ),
        (
            "COPY public.\"user\" (id) FROM stdin;",
            copy("public", "user", &["id"]),
        ),
        (
            "COPY \"a.b\".\"we\"\"ird. t\" (id) FROM stdin;",
            copy("a.b", "we\"ird. t", &["id"]),
        ),
        (
            "COPY public.größe (id) FROM stdin;",
            copy("public", "größe", &["id"]),
        ),
        ("COPY public.none  FROM stdin;", copy("public", "none", &[])),
        ("COPY asset (id) FROM stdin;", Some(None)),
        (
            "COPY public.asset (id) FROM stdin WITH (FORMAT csv);",
            Some(None),
        ),
        ("COPY public.asset TO stdout;", None),
        ("COPY public.asset FROM PROGRAM 'id';", None),
    ] {
        assert_eq!(copy_target(statement.as_bytes()), expected, "{statement}");
    }
}
