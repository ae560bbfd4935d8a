-- The relay's own file, <database>.outboxd. The relay applies this itself when it opens the file; services never touch it.

CREATE TABLE outbox_mark (
  route    TEXT NOT NULL,
  shard    INTEGER NOT NULL DEFAULT 0,
  shards   INTEGER NOT NULL DEFAULT 1,
  owner    TEXT,                           -- NULL: nobody holds the lease
  epoch    INTEGER NOT NULL DEFAULT 0,     -- grows with every grant; a write with an old one changes nothing
  beat     INTEGER NOT NULL DEFAULT 0,     -- moves while the holder lives
  seq      INTEGER,                        -- the mark: every row up to here is settled; NULL: not begun
  last_id  TEXT,                           -- the id of the row at seq: tells when the database was put back in time
  paused   INTEGER NOT NULL DEFAULT 0,
  saved_at TEXT,                           -- when the mark last moved
  PRIMARY KEY (route, shard)
) WITHOUT ROWID;

-- Rows that a mark has passed although no broker has accepted them.
CREATE TABLE outbox_held (
  route           TEXT NOT NULL,
  seq             INTEGER NOT NULL,
  shard           INTEGER NOT NULL DEFAULT 0,
  message_key     TEXT,
  state           TEXT NOT NULL CHECK (state IN ('retrying', 'blocked', 'scheduled', 'dead', 'unrouted')),
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TEXT,
  last_error      TEXT,
  held_at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  PRIMARY KEY (route, seq)
) WITHOUT ROWID;

CREATE INDEX outbox_held_due ON outbox_held (route, shard, state, next_attempt_at);
CREATE INDEX outbox_held_key ON outbox_held (route, message_key, seq);

-- What operators did.
CREATE TABLE outbox_audit (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  happened_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  actor       TEXT,
  action      TEXT NOT NULL,
  route       TEXT,
  detail      TEXT
);
