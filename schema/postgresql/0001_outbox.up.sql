-- The outbox on PostgreSQL 13 and later. Plain SQL for any migration tool; it opens no transaction of its own.
-- Everything is created in the current schema. To give the table another name, replace the lone word outbox below, as
-- `outboxd migrate` does with outbox.table; the other objects keep their names.

-- Services INSERT and need no other right. Nothing here refuses a row beyond the NOT NULLs: a business transaction must
-- not fail because of its message.
CREATE TABLE outbox (
  seq          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id           uuid        NOT NULL DEFAULT gen_random_uuid(),
  topic        text        NOT NULL,
  message_key  text,
  type         text,
  payload      bytea,  -- bytes, or
  data         text,   -- text as it is; at most one of the two, and neither is a message without a value
  content_type text        NOT NULL DEFAULT 'application/json',
  headers      jsonb       NOT NULL DEFAULT '{}',
  deliver_at   timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  tx           xid8        NOT NULL DEFAULT pg_current_xact_id()
) WITH (toast_tuple_target = 8160);  -- payloads up to 8 kB stay in the row: read and written about 1.5 times as fast

-- The relay finds what was committed since its last look by the transaction that wrote it.
CREATE INDEX outbox_tx_seq ON outbox (tx, seq);

-- So tx is the database's own word, whoever inserts and by what means: replication and COPY bring numbers of another
-- cluster. Such rows are new here. A later change leaves tx as it is, unless
-- it makes the row new again, or dates one that came without triggers. Called only where there is something to correct.
CREATE FUNCTION outbox_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.tx := CASE TG_OP WHEN 'INSERT' THEN pg_catalog.pg_current_xact_id() ELSE OLD.tx END;
  RETURN NEW;
END
$$;
CREATE TRIGGER outbox_stamp BEFORE INSERT ON outbox FOR EACH ROW
  WHEN (NEW.tx IS DISTINCT FROM pg_current_xact_id()) EXECUTE FUNCTION outbox_stamp();
CREATE TRIGGER outbox_keep_tx BEFORE UPDATE OF tx ON outbox FOR EACH ROW
  WHEN (NEW.tx IS DISTINCT FROM OLD.tx AND NEW.tx IS DISTINCT FROM pg_current_xact_id()
        AND (OLD.tx = pg_current_xact_id() OR pg_visible_in_snapshot(OLD.tx, pg_current_snapshot())))
  EXECUTE FUNCTION outbox_stamp();
ALTER TABLE outbox ENABLE ALWAYS TRIGGER outbox_stamp, ENABLE ALWAYS TRIGGER outbox_keep_tx;

-- One row per route and shard: how far it has got, and who may move it. Rows of the log that are visible in the snapshot
-- `seen` are settled; while a larger window is worked off, so are those visible in `upto` with a seq up to `seq`.
CREATE TABLE outbox_mark (
  route             text        NOT NULL,
  shard             integer     NOT NULL DEFAULT 0,
  shards            integer     NOT NULL DEFAULT 1,
  owner             text        NOT NULL DEFAULT '',
  epoch             bigint      NOT NULL DEFAULT 0,
  beat              bigint      NOT NULL DEFAULT 0,
  seen              pg_snapshot NOT NULL,
  upto              pg_snapshot,
  seq               bigint      NOT NULL DEFAULT 0,
  system_identifier bigint      NOT NULL,
  paused            boolean     NOT NULL DEFAULT false,
  topics            text[]      NOT NULL DEFAULT '{%}',  -- what the route takes, as patterns of LIKE
  held_version      bigint      NOT NULL DEFAULT 0,      -- moves when an operator changes what is held
  replays           integer     NOT NULL DEFAULT 0,      -- how often an operator had rows sent again,
  replayed_to       bigint      NOT NULL DEFAULT 0,      -- and the last row that this could be, the last time
  retention_milliseconds bigint NOT NULL DEFAULT 0,      -- how long its relay wants sent rows kept
  saved_at          timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (route, shard)
) WITH (fillfactor = 10);  -- one small row, updated often: room for its versions on its own page

-- What all marks had passed, and when: sent rows are kept for a while from then on.
CREATE TABLE outbox_progress (
  at    timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
  place text        NOT NULL,  -- a snapshot, as in outbox_mark.seen
  seq   bigint      NOT NULL   -- not used here
);

-- Rows that a mark has passed although no broker has accepted them. While `blocks`, later rows of the key wait for it.
CREATE TABLE outbox_held (
  route           text        NOT NULL,
  seq             bigint      NOT NULL,
  shard           integer     NOT NULL DEFAULT 0,
  message_key     text,
  state           text        NOT NULL CHECK (state IN ('scheduled', 'retrying', 'blocked', 'dead', 'unrouted')),
  blocks          boolean     NOT NULL,
  attempts        integer     NOT NULL DEFAULT 0,
  next_attempt_at timestamptz,
  last_error      text,
  topic           text,                                  -- of an unrouted row; else set: waits for it to be mended
  held_at         timestamptz NOT NULL DEFAULT now(),
  first_failed_at timestamptz,
  last_failed_at  timestamptz,
  PRIMARY KEY (route, seq)
);
-- Whose time has come.
CREATE INDEX outbox_held_due ON outbox_held (route, shard, next_attempt_at) WHERE state IN ('retrying', 'scheduled');
-- Who waits behind whom. By the key's hash, because a key may be longer than an index takes, as a topic may.
CREATE INDEX outbox_held_queue ON outbox_held (route, hashtextextended(message_key, 0), seq) WHERE blocks;
CREATE INDEX outbox_held_seq ON outbox_held (seq);
CREATE INDEX outbox_held_topic ON outbox_held (route, shard, hashtextextended(topic, 0)) WHERE topic IS NOT NULL;
-- A row that no route takes is noted once.
CREATE UNIQUE INDEX outbox_held_unrouted ON outbox_held (seq) WHERE state = 'unrouted';

-- What operators did.
CREATE TABLE outbox_audit (
  seq     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT now(),
  actor   text        NOT NULL,
  action  text        NOT NULL,
  route   text,
  details jsonb       NOT NULL DEFAULT '{}'
);

-- Which relays there are, to share out the shards.
CREATE TABLE outbox_relay (
  owner   text        PRIMARY KEY,
  beat    bigint      NOT NULL DEFAULT 0,
  seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);

-- The state of each row for each route that takes its topic, or that holds it. With several shards a row is sent once
-- all of them have passed it. A mark that was made on another cluster (a restored dump) has passed nothing here.
CREATE VIEW outbox_status AS
SELECT m.route, o.seq, o.id, o.topic, o.message_key,
       CASE WHEN h.state IS NOT NULL THEN h.state WHEN m.passed THEN 'sent' ELSE 'pending' END AS state,
       coalesce(h.attempts, 0) AS attempts,
       h.last_error
FROM outbox o
CROSS JOIN LATERAL (
  SELECT k.route,
         bool_or(o.topic LIKE ANY (k.topics)) AS takes,
         bool_and(k.system_identifier = (SELECT system_identifier FROM pg_control_system())
                  AND (pg_visible_in_snapshot(o.tx, k.seen)
                       OR coalesce(o.seq <= k.seq AND pg_visible_in_snapshot(o.tx, k.upto), false))) AS passed
  FROM outbox_mark k
  GROUP BY k.route
) m
LEFT JOIN outbox_held h ON h.route = m.route AND h.seq = o.seq
WHERE m.takes OR h.state IS NOT NULL;

-- Wakes sleeping relays. NOTIFY makes commits queue for one lock, so it is sent only while a relay sleeps: a sleeping
-- relay holds the advisory lock shared, and then it cannot be had exclusively here. It is given back in the same
-- expression, so that no transaction, however long, keeps a relay from going to sleep. Every name is qualified: the
-- caller's search_path has no say.
-- No business transaction fails because of it: not for want of a right, and not for a full queue. A transaction that has
-- sent NOTIFY cannot be prepared, and nobody knows here whether this one will be: where the server allows it
-- (max_prepared_transactions), relays poll, unless a setting says that no service of this database or role prepares:
-- ALTER DATABASE ... SET outbox.two_phase = 'off'.
CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_catalog.current_setting('max_prepared_transactions') <> '0'
     AND pg_catalog.current_setting('outbox.two_phase', true) IS DISTINCT FROM 'off' THEN
    RETURN NULL;
  END IF;
  IF (CASE WHEN pg_catalog.pg_try_advisory_lock(1869968482, TG_RELID::pg_catalog.int4)
           THEN NOT pg_catalog.pg_advisory_unlock(1869968482, TG_RELID::pg_catalog.int4)
           ELSE true END)
     AND pg_catalog.pg_notification_queue_usage() < 0.5 THEN
    EXECUTE pg_catalog.concat('NOTIFY outbox_', TG_RELID);
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$$;
CREATE TRIGGER outbox_wakeup AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify();

-- For services: SELECT outbox_send('orders', '{"id": 7}', 'customer-3'). Returns the message's id. With the caller's own
-- rights, and in the schema in which it was created. RETURNING would need SELECT, hence the id is drawn first.
CREATE FUNCTION outbox_send(topic text, payload bytea, message_key text DEFAULT NULL, type text DEFAULT NULL,
                            headers jsonb DEFAULT '{}', deliver_at timestamptz DEFAULT NULL)
RETURNS uuid LANGUAGE plpgsql SECURITY INVOKER AS $$
DECLARE
  new_id uuid := gen_random_uuid();
BEGIN
  INSERT INTO outbox (id, topic, payload, content_type, message_key, type, headers, deliver_at)
  VALUES (new_id, $1, $2, 'application/octet-stream', $3, $4, coalesce($5, '{}'), $6);
  RETURN new_id;
END
$$;

CREATE FUNCTION outbox_send(topic text, payload jsonb, message_key text DEFAULT NULL, type text DEFAULT NULL,
                            headers jsonb DEFAULT '{}', deliver_at timestamptz DEFAULT NULL)
RETURNS uuid LANGUAGE plpgsql SECURITY INVOKER AS $$
DECLARE
  new_id uuid := gen_random_uuid();
BEGIN
  INSERT INTO outbox (id, topic, data, content_type, message_key, type, headers, deliver_at)
  VALUES (new_id, $1, $2::text, 'application/json', $3, $4, coalesce($5, '{}'), $6);
  RETURN new_id;
END
$$;

-- Also taken for a literal without a type, so it decides by the first character: { and [ begin JSON, all else is text.
CREATE FUNCTION outbox_send(topic text, payload text, message_key text DEFAULT NULL, type text DEFAULT NULL,
                            headers jsonb DEFAULT '{}', deliver_at timestamptz DEFAULT NULL)
RETURNS uuid LANGUAGE plpgsql SECURITY INVOKER AS $$
DECLARE
  new_id uuid := gen_random_uuid();
BEGIN
  INSERT INTO outbox (id, topic, data, content_type, message_key, type, headers, deliver_at)
  VALUES (new_id, $1, $2,
          CASE WHEN $2 ~ '^\s*[{[]' THEN 'application/json' ELSE 'text/plain;charset=utf-8' END,
          $3, $4, coalesce($5, '{}'), $6);
  RETURN new_id;
END
$$;

-- Their outbox is this one, and no temporary table of a caller's.
DO $$
DECLARE
  found regprocedure;
BEGIN
  FOR found IN SELECT oid FROM pg_proc WHERE proname = 'outbox_send' AND pronamespace = current_schema()::regnamespace LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', found, current_schema());
  END LOOP;
END
$$;
