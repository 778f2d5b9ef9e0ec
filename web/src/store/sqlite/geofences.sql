-- Orders on where vehicles may drive; the greatest serial of a vehicle counts. Without corners the one before is taken back.
CREATE TABLE geofences (
  vehicle TEXT NOT NULL,
  serial INTEGER NOT NULL,
  corners_m TEXT,
  reason TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (vehicle, serial)
) STRICT, WITHOUT ROWID;
