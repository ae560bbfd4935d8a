-- The outbox table: services insert one row per message in the transaction of their own change and need nothing else.
-- What each column means: schema/README.md. Use WAL mode, so that readers and the writer never wait for each other:
--   PRAGMA journal_mode = WAL;

CREATE TABLE outbox (
  -- AUTOINCREMENT: a number is never handed out twice, not even after the newest rows were removed. SQLite has one writer
  -- at a time, so the order of seq is the order of the commits.
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL DEFAULT (lower(
                 hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' ||
                 substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  topic        TEXT NOT NULL,
  message_key  TEXT,
  type         TEXT,
  payload      BLOB,  -- bytes, or
  data         TEXT,  -- text as it is; at most one of the two, and neither is a message without a value
  content_type TEXT NOT NULL DEFAULT 'application/json',
  headers      TEXT NOT NULL DEFAULT '{}',
  -- ISO 8601: 2026-01-31T12:00:00.000Z, also with a space for the T, with an offset as +01:00, or without one for UTC.
  deliver_at   TEXT,
  created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
