CREATE TABLE vehicles (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('live', 'virtual')),
  embodiment TEXT NOT NULL,
  map TEXT NOT NULL,
  software TEXT NOT NULL,
  seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Cumulative counters of vehicles that report mileage.
CREATE TABLE mileage (
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  autonomous_m REAL NOT NULL,
  manual_m REAL NOT NULL,
  PRIMARY KEY (vehicle, policy)
) STRICT, WITHOUT ROWID;

-- Finished drives of vehicles that report trips.
CREATE TABLE trips (
  id TEXT PRIMARY KEY,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  autonomous_m REAL NOT NULL,
  manual_m REAL NOT NULL,
  stored_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX trips_exposure ON trips (vehicle, policy, autonomous_m, manual_m);

CREATE TABLE disengagements (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  cause TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  map TEXT NOT NULL,
  stored_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX disengagements_vehicle ON disengagements (vehicle, policy, cause);
CREATE INDEX disengagements_policy ON disengagements (policy);
CREATE INDEX disengagements_cause ON disengagements (cause);

CREATE TABLE episodes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  cause TEXT NOT NULL,
  file TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  duration_s REAL NOT NULL,
  map TEXT NOT NULL,
  stored_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX episodes_vehicle ON episodes (vehicle);
CREATE INDEX episodes_policy ON episodes (policy);
CREATE INDEX episodes_cause ON episodes (cause);

CREATE TABLE policies (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  version TEXT NOT NULL UNIQUE,
  parent TEXT,
  sha256 TEXT NOT NULL,
  episodes INTEGER NOT NULL,
  frames INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('published', 'refused'))
) STRICT;

CREATE TABLE evaluations (
  policy TEXT PRIMARY KEY,
  miles REAL NOT NULL,
  disengagements INTEGER NOT NULL,
  mpd REAL NOT NULL,
  mpd_low REAL NOT NULL,
  mpd_high REAL
) STRICT, WITHOUT ROWID;
