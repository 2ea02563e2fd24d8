CREATE TABLE workflow (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "ownerId" uuid NOT NULL REFERENCES "user" ON UPDATE CASCADE ON DELETE CASCADE,
    name character varying,
    enabled boolean NOT NULL DEFAULT true
);
