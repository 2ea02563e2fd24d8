-- Each user begins with a group of faces of their own.
CREATE TABLE cluster_group (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "createdAt" timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE "user" ADD COLUMN "clusterGroupId" uuid NOT NULL DEFAULT gen_random_uuid();
INSERT INTO cluster_group (id) SELECT "clusterGroupId" FROM "user";
