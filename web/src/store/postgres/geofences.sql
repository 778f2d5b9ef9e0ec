-- Orders on where vehicles may drive; the greatest serial of a vehicle counts. Without corners the one before is taken back.
CREATE TABLE geofences (
  vehicle TEXT NOT NULL,
  serial BIGINT NOT NULL,
  corners_m TEXT,
  reason TEXT NOT NULL,
  since_ms BIGINT NOT NULL,
  PRIMARY KEY (vehicle, serial)
);
