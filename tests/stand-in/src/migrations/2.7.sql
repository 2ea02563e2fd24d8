-- The tables of Immich 2.7 that hold what a user would miss, under Immich's names; of their columns
-- those that this stand-in fills. What is there already stays.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE OR REPLACE FUNCTION updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW."updatedAt" = clock_timestamp();
    RETURN NEW;
END;
$$;

CREATE TABLE IF NOT EXISTS "user" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email character varying NOT NULL UNIQUE,
    password character varying,
    name character varying NOT NULL DEFAULT '',
    "isAdmin" boolean NOT NULL DEFAULT false,
    "shouldChangePassword" boolean NOT NULL DEFAULT true,
    "avatarColor" character varying NOT NULL DEFAULT 'primary',
    "profileImagePath" character varying NOT NULL DEFAULT '',
    "profileChangedAt" timestamptz NOT NULL DEFAULT now(),
    "storageLabel" character varying UNIQUE,
    "quotaSizeInBytes" bigint,
    "oauthId" character varying NOT NULL DEFAULT '',
    status character varying NOT NULL DEFAULT 'active',
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "deletedAt" timestamptz
);

CREATE TABLE IF NOT EXISTS session (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    token bytea NOT NULL UNIQUE,
    "userId" uuid NOT NULL REFERENCES "user" ON UPDATE CASCADE ON DELETE CASCADE,
    "createdAt" timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS api_key (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name character varying NOT NULL,
    key bytea NOT NULL UNIQUE,
    "userId" uuid NOT NULL REFERENCES "user" ON UPDATE CASCADE ON DELETE CASCADE,
    permissions character varying[] NOT NULL,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS asset (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "ownerId" uuid NOT NULL REFERENCES "user" ON UPDATE CASCADE ON DELETE CASCADE,
    "deviceAssetId" character varying NOT NULL,
    "deviceId" character varying NOT NULL,
    type character varying NOT NULL,
    "originalPath" character varying NOT NULL,
    "originalFileName" character varying NOT NULL,
    checksum bytea NOT NULL,
    "fileCreatedAt" timestamptz NOT NULL,
    "fileModifiedAt" timestamptz NOT NULL,
    "localDateTime" timestamptz NOT NULL,
    duration character varying,
    "livePhotoVideoId" uuid,
    "isFavorite" boolean NOT NULL DEFAULT false,
    "isOffline" boolean NOT NULL DEFAULT false,
    "libraryId" uuid,
    status character varying NOT NULL DEFAULT 'active',
    visibility character varying NOT NULL DEFAULT 'timeline',
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "deletedAt" timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS "UQ_assets_owner_checksum"
    ON asset ("ownerId", checksum) WHERE "libraryId" IS NULL;
CREATE INDEX IF NOT EXISTS "asset_originalFilename_trigram_idx"
    ON asset USING gin ("originalFileName" gin_trgm_ops);
CREATE OR REPLACE TRIGGER "asset_updatedAt"
    BEFORE UPDATE ON asset FOR EACH ROW EXECUTE FUNCTION updated_at();

CREATE TABLE IF NOT EXISTS asset_exif (
    "assetId" uuid PRIMARY KEY REFERENCES asset ON DELETE CASCADE,
    make character varying,
    model character varying,
    "exifImageWidth" integer,
    "exifImageHeight" integer,
    "fileSizeInByte" bigint,
    "dateTimeOriginal" timestamptz,
    "modifyDate" timestamptz,
    "timeZone" character varying,
    description text NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS asset_file (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "assetId" uuid NOT NULL REFERENCES asset ON UPDATE CASCADE ON DELETE CASCADE,
    type character varying NOT NULL,
    path character varying NOT NULL,
    UNIQUE ("assetId", type)
);

CREATE TABLE IF NOT EXISTS album (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "ownerId" uuid NOT NULL REFERENCES "user" ON UPDATE CASCADE ON DELETE CASCADE,
    "albumName" character varying NOT NULL DEFAULT 'Untitled Album',
    description text NOT NULL DEFAULT '',
    "isActivityEnabled" boolean NOT NULL DEFAULT true,
    "order" character varying NOT NULL DEFAULT 'desc',
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(),
    "deletedAt" timestamptz
);

CREATE TABLE IF NOT EXISTS album_user (
    "albumId" uuid NOT NULL REFERENCES album ON UPDATE CASCADE ON DELETE CASCADE,
    "userId" uuid NOT NULL REFERENCES "user" ON UPDATE CASCADE ON DELETE CASCADE,
    role character varying NOT NULL DEFAULT 'editor',
    PRIMARY KEY ("albumId", "userId")
);

CREATE TABLE IF NOT EXISTS album_asset (
    "albumId" uuid NOT NULL REFERENCES album ON UPDATE CASCADE ON DELETE CASCADE,
    "assetId" uuid NOT NULL REFERENCES asset ON UPDATE CASCADE ON DELETE CASCADE,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY ("albumId", "assetId")
);

CREATE TABLE IF NOT EXISTS notification (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "userId" uuid NOT NULL REFERENCES "user" ON UPDATE CASCADE ON DELETE CASCADE,
    level character varying NOT NULL,
    type character varying NOT NULL,
    title character varying NOT NULL,
    description text,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "readAt" timestamptz
);

CREATE TABLE IF NOT EXISTS system_metadata (
    key character varying PRIMARY KEY,
    value jsonb NOT NULL
);

CREATE TABLE IF NOT EXISTS version_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    version character varying NOT NULL
);
