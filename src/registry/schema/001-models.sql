-- Models, their versions, the packages these point to, and who did what.

CREATE TABLE models (
  name TEXT PRIMARY KEY,
  created_at_us INTEGER NOT NULL,
  last_version INTEGER NOT NULL  -- the highest number ever given: numbers are not used again
) STRICT, WITHOUT ROWID;

CREATE TABLE packages (
  digest TEXT PRIMARY KEY,       -- SHA-256 of the manifest, which is an object of that name
  engine TEXT NOT NULL,
  engine_reason TEXT NOT NULL,
  bytes INTEGER NOT NULL,        -- of all files but the manifest
  created_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
  model TEXT NOT NULL REFERENCES models(name),
  version INTEGER NOT NULL,
  package TEXT NOT NULL REFERENCES packages(digest),
  created_at_us INTEGER NOT NULL,
  details TEXT NOT NULL,         -- JSON: where it came from, what parity found
  PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  model TEXT NOT NULL,
  version INTEGER,
  details TEXT NOT NULL          -- JSON
) STRICT;
