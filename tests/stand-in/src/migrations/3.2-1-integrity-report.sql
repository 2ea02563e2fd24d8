CREATE TABLE integrity_report (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    type character varying NOT NULL,
    path character varying NOT NULL,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    UNIQUE (type, path)
);
