-- Which certificate a name is bound to.
CREATE TABLE identities (
  party TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
