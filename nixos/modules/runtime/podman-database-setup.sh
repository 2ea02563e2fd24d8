# Runs as postgres once the server in the container has come up.
export PGHOST=/run/postgresql

# The image answers already while it initialises a new cluster, and then restarts.
until psql -d postgres -c "SELECT 1" >/dev/null 2>&1 && sleep 2 && psql -d postgres -c "SELECT 1" >/dev/null 2>&1; do
  systemctl is-active --quiet postgresql.service || exit 1
  sleep 1
done

has() { [ "$(psql -d postgres -tAc "$1")" = 1 ]; }
has "SELECT 1 FROM pg_roles WHERE rolname = 'immich'" || psql -d postgres -c "CREATE ROLE immich LOGIN"
has "SELECT 1 FROM pg_database WHERE datname = 'immich'" || psql -d postgres -c "CREATE DATABASE immich OWNER immich"

psql -d immich -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE EXTENSION IF NOT EXISTS cube;
CREATE EXTENSION IF NOT EXISTS earthdistance;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS vchord;
ALTER SCHEMA public OWNER TO immich;
SQL
