-- Rights for two roles, least first. Run by the owner of the tables, in their schema, with the roles' names:
--   psql -v service=orders -v relay=outboxd -f grants.sql
-- In a schema other than public both roles need USAGE on it as well.

-- A service writes messages, no more: it can neither read what is in them nor change them, nor choose their place. SELECT
-- on the other columns is for ORMs (SQLAlchemy, Django, Hibernate, TypeORM, GORM), which insert with RETURNING; without
-- one leave it out.
GRANT INSERT (id, topic, message_key, type, payload, data, content_type, headers, deliver_at) ON outbox
  TO :"service";
GRANT SELECT (seq, id, topic, message_key, type, content_type, headers, deliver_at, created_at, tx) ON outbox
  TO :"service";

-- The relay reads the log and keeps its own books. DELETE on the log is for retention.
GRANT SELECT, DELETE ON outbox TO :"relay";
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_mark TO :"relay";
GRANT SELECT, INSERT, DELETE ON outbox_progress TO :"relay";
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_held TO :"relay";
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_relay TO :"relay";
GRANT SELECT, INSERT ON outbox_audit TO :"relay";
GRANT SELECT ON outbox_status TO :"relay";
-- For `outboxd send` with the relay's role: GRANT INSERT ON outbox TO :"relay";
-- Once, for `outboxd mark rebase` after a dump was restored: GRANT UPDATE (tx) ON outbox TO :"relay";
-- outbox_migration is there when `outboxd migrate` made the tables:
--   GRANT SELECT ON outbox_migration TO :"relay";
