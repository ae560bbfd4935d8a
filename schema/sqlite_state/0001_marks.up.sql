-- The relay's own file, <database>.outboxd. The relay applies this itself when it opens the file; services never touch it.

CREATE TABLE outbox_mark (
  route    TEXT NOT NULL,
  shard    INTEGER NOT NULL DEFAULT 0,
  shards   INTEGER NOT NULL DEFAULT 1,
  owner    TEXT NOT NULL DEFAULT '',       -- empty: nobody holds the lease
  epoch    INTEGER NOT NULL DEFAULT 0,     -- grows with every grant; a write with an old one changes nothing
  beat     INTEGER NOT NULL DEFAULT 0,     -- moves while the holder lives
  seq      INTEGER,                        -- the mark: every row up to here is settled; NULL: not begun
  last_id  TEXT,                           -- the id of the row at seq: tells when the database was put back in time
  paused   INTEGER NOT NULL DEFAULT 0,
  saved_at TEXT,                           -- when the mark last moved
  topics   TEXT NOT NULL DEFAULT '["*"]',  -- what the route takes, as GLOB patterns; for outbox_status
  retention_milliseconds INTEGER NOT NULL DEFAULT 0, -- how long its relay wants sent rows kept
  held_version INTEGER NOT NULL DEFAULT 0, -- moves when an operator has changed what is held
  replays  INTEGER NOT NULL DEFAULT 0,     -- how often an operator had rows sent again,
  replayed_to INTEGER NOT NULL DEFAULT 0,  -- and the last row that this could be, the last time
  PRIMARY KEY (route, shard)
) WITHOUT ROWID;

-- What all marks had passed, and when: sent rows are kept for a while from then on.
CREATE TABLE outbox_progress (
  at     TEXT PRIMARY KEY DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  place  TEXT NOT NULL,                    -- not used here
  seq    INTEGER NOT NULL                  -- as in outbox_mark
) WITHOUT ROWID;

-- Rows that a mark has passed although no broker has accepted them.
CREATE TABLE outbox_held (
  route           TEXT NOT NULL,
  seq             INTEGER NOT NULL,
  shard           INTEGER NOT NULL DEFAULT 0,
  message_key     TEXT,
  state           TEXT NOT NULL CHECK (state IN ('retrying', 'blocked', 'scheduled', 'dead', 'unrouted')),
  blocks          INTEGER NOT NULL,        -- 1: later rows of its key wait for it
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TEXT,                    -- of a blocked row: not before this time, once its turn has come
  timed_at        TEXT,                    -- when next_attempt_at was set: in the future, if the clock was put back
  last_error      TEXT,
  topic           TEXT,                    -- of an unrouted row; else set: waits for it to be mended
  held_at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  first_failed_at TEXT,
  last_failed_at  TEXT,
  PRIMARY KEY (route, seq)
) WITHOUT ROWID;

-- What is due next, and what would wait too long because the clock was put back.
CREATE INDEX outbox_held_due ON outbox_held (route, shard, next_attempt_at) WHERE state IN ('retrying', 'scheduled');
CREATE INDEX outbox_held_timed ON outbox_held (route, shard, timed_at) WHERE state = 'retrying';
-- The queue of a key, and who is at its head.
CREATE INDEX outbox_held_queue ON outbox_held (route, message_key, seq, shard, blocks) WHERE blocks = 1;
CREATE INDEX outbox_held_head ON outbox_held (route, message_key, seq) WHERE state = 'retrying';
-- Who waits for a topic.
CREATE INDEX outbox_held_topic ON outbox_held (route, shard, topic) WHERE topic IS NOT NULL;
-- A row that no route takes is noted once.
CREATE UNIQUE INDEX outbox_held_unrouted ON outbox_held (seq) WHERE state = 'unrouted';
-- Dead letters by age, and everything by state.
CREATE INDEX outbox_held_dead ON outbox_held (coalesce(last_failed_at, held_at)) WHERE state = 'dead';
CREATE INDEX outbox_held_state ON outbox_held (state, route, seq, shard);

-- The relays that share out the shards.
CREATE TABLE outbox_relay (
  owner   TEXT PRIMARY KEY,
  beat    INTEGER NOT NULL,                -- moves while it lives
  seen_at TEXT NOT NULL                    -- when it last moved
) WITHOUT ROWID;

-- What operators did.
CREATE TABLE outbox_audit (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  route   TEXT,
  details TEXT NOT NULL DEFAULT '{}'
);
