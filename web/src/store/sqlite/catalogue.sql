-- Where an episode's parts are stored, what is known about it, and what a reviewer said.
ALTER TABLE episodes ADD COLUMN object TEXT;
ALTER TABLE episodes ADD COLUMN preview_video TEXT;
ALTER TABLE episodes ADD COLUMN preview_state TEXT;
ALTER TABLE episodes ADD COLUMN opened_by TEXT;
ALTER TABLE episodes ADD COLUMN reason TEXT;
ALTER TABLE episodes ADD COLUMN software TEXT;
ALTER TABLE episodes ADD COLUMN weather TEXT;
ALTER TABLE episodes ADD COLUMN x_m REAL;
ALTER TABLE episodes ADD COLUMN y_m REAL;
ALTER TABLE episodes ADD COLUMN latitude_deg REAL;
ALTER TABLE episodes ADD COLUMN longitude_deg REAL;
ALTER TABLE episodes ADD COLUMN verdict TEXT;
ALTER TABLE episodes ADD COLUMN verdict_by TEXT;
ALTER TABLE episodes ADD COLUMN verdict_note TEXT;
ALTER TABLE episodes ADD COLUMN verdict_ms INTEGER;
CREATE INDEX episodes_map ON episodes (map);
CREATE INDEX episodes_start ON episodes (start_ms);
CREATE INDEX episodes_sha256 ON episodes (sha256);

-- Whose hands were on the wheel.
CREATE TABLE episode_seats (
  episode TEXT NOT NULL REFERENCES episodes (id) ON DELETE CASCADE,
  seat TEXT NOT NULL,
  PRIMARY KEY (episode, seat)
) STRICT, WITHOUT ROWID;
CREATE INDEX episode_seats_seat ON episode_seats (seat);

-- Every episode that left the storage, for good: nothing here is changed or deleted.
CREATE TABLE removals (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  why TEXT NOT NULL
) STRICT;
CREATE INDEX removals_id ON removals (id);
CREATE TRIGGER removals_unchanged BEFORE UPDATE ON removals BEGIN SELECT RAISE(ABORT, 'removals are only added'); END;
CREATE TRIGGER removals_kept BEFORE DELETE ON removals BEGIN SELECT RAISE(ABORT, 'removals are only added'); END;

-- What never comes back: keyed hashes of identities and contents; until_ms: only what was recorded before.
CREATE TABLE tombstones (
  hash TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  until_ms INTEGER
) STRICT, WITHOUT ROWID;

-- Erasures. `doomed` is what a running one still has to remove; a finished one has a number and a proof.
CREATE TABLE erasures (
  job INTEGER PRIMARY KEY AUTOINCREMENT,
  number INTEGER UNIQUE,
  asked TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  doomed TEXT,
  proof TEXT,
  sha256 TEXT
) STRICT;
