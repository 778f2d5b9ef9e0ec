CREATE TABLE vehicles (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('live', 'virtual')),
  embodiment TEXT NOT NULL,
  map TEXT NOT NULL,
  software TEXT NOT NULL,
  seen_ms BIGINT NOT NULL
);

-- Cumulative counters of vehicles that report mileage.
CREATE TABLE mileage (
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  autonomous_m DOUBLE PRECISION NOT NULL,
  manual_m DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (vehicle, policy)
);

-- Finished drives of vehicles that report trips.
CREATE TABLE trips (
  id TEXT PRIMARY KEY,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  autonomous_m DOUBLE PRECISION NOT NULL,
  manual_m DOUBLE PRECISION NOT NULL,
  stored_ms BIGINT NOT NULL
);
CREATE INDEX trips_exposure ON trips (vehicle, policy, autonomous_m, manual_m);

CREATE TABLE disengagements (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  cause TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  map TEXT NOT NULL,
  stored_ms BIGINT NOT NULL
);
CREATE INDEX disengagements_vehicle ON disengagements (vehicle, policy, cause);
CREATE INDEX disengagements_policy ON disengagements (policy);
CREATE INDEX disengagements_cause ON disengagements (cause);

CREATE TABLE episodes (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  policy TEXT NOT NULL,
  cause TEXT NOT NULL,
  file TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  start_ms BIGINT NOT NULL,
  duration_s DOUBLE PRECISION NOT NULL,
  map TEXT NOT NULL,
  stored_ms BIGINT NOT NULL,
  object TEXT,
  preview_video TEXT,
  preview_state TEXT,
  opened_by TEXT,
  reason TEXT,
  software TEXT,
  weather TEXT,
  x_m DOUBLE PRECISION,
  y_m DOUBLE PRECISION,
  latitude_deg DOUBLE PRECISION,
  longitude_deg DOUBLE PRECISION,
  verdict TEXT,
  verdict_by TEXT,
  verdict_note TEXT,
  verdict_ms BIGINT
);
CREATE INDEX episodes_vehicle ON episodes (vehicle);
CREATE INDEX episodes_policy ON episodes (policy);
CREATE INDEX episodes_cause ON episodes (cause);
CREATE INDEX episodes_map ON episodes (map);
CREATE INDEX episodes_start ON episodes (start_ms);
CREATE INDEX episodes_sha256 ON episodes (sha256);

-- Whose hands were on the wheel.
CREATE TABLE episode_seats (
  episode TEXT NOT NULL REFERENCES episodes (id) ON DELETE CASCADE,
  seat TEXT NOT NULL,
  PRIMARY KEY (episode, seat)
);
CREATE INDEX episode_seats_seat ON episode_seats (seat);

CREATE TABLE policies (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version TEXT NOT NULL UNIQUE,
  parent TEXT,
  sha256 TEXT NOT NULL,
  episodes BIGINT NOT NULL,
  frames BIGINT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('published', 'refused'))
);

CREATE TABLE evaluations (
  policy TEXT PRIMARY KEY,
  miles DOUBLE PRECISION NOT NULL,
  disengagements BIGINT NOT NULL,
  mpd DOUBLE PRECISION NOT NULL,
  mpd_low DOUBLE PRECISION NOT NULL,
  mpd_high DOUBLE PRECISION
);

-- Which certificate a name is bound to.
CREATE TABLE identities (
  party TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  since_ms BIGINT NOT NULL
);

-- Seats that get no grants.
CREATE TABLE revocations (
  seat TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  since_ms BIGINT NOT NULL
);

-- Every episode that left the storage, for good: nothing here is changed or deleted.
CREATE TABLE removals (
  seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  why TEXT NOT NULL
);
CREATE INDEX removals_id ON removals (id);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% are only added', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER removals_unchanged BEFORE UPDATE OR DELETE OR TRUNCATE ON removals
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What never comes back: keyed hashes of identities and contents; until_ms: only what was recorded before.
CREATE TABLE tombstones (
  hash TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  until_ms BIGINT
);

-- Erasures. `doomed` is what a running one still has to remove; a finished one has a number and a proof.
CREATE TABLE erasures (
  job BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  number BIGINT UNIQUE,
  asked TEXT NOT NULL,
  started_ms BIGINT NOT NULL,
  doomed TEXT,
  proof TEXT,
  sha256 TEXT
);

-- Which uploaded files an episode has; they may come before its own row.
CREATE TABLE episode_files (
  episode TEXT NOT NULL,
  kind TEXT NOT NULL,
  object TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  stored_ms BIGINT NOT NULL,
  PRIMARY KEY (episode, kind)
);
CREATE INDEX episode_files_object ON episode_files (object);
