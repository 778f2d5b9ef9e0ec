-- Which uploaded files an episode has; they may come before its own row.
CREATE TABLE episode_files (
  episode TEXT NOT NULL,
  kind TEXT NOT NULL,
  object TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  vehicle TEXT NOT NULL REFERENCES vehicles (id),
  stored_ms INTEGER NOT NULL,
  PRIMARY KEY (episode, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX episode_files_object ON episode_files (object);
