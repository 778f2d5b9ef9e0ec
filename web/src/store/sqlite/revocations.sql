-- Seats that get no grants.
CREATE TABLE revocations (
  seat TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
