-- Published versions that no vehicle drives by any more; the versions themselves never change.
CREATE TABLE withdrawals (
  version TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
