-- Drops the outbox with every row in it, sent or not. `outboxd migrate down` refuses while rows are unsent.
DROP FUNCTION IF EXISTS outbox_send(text, text, text, text, jsonb, timestamptz);
DROP FUNCTION IF EXISTS outbox_send(text, jsonb, text, text, jsonb, timestamptz);
DROP FUNCTION IF EXISTS outbox_send(text, bytea, text, text, jsonb, timestamptz);
DROP VIEW IF EXISTS outbox_status;
DROP TABLE IF EXISTS outbox_relay;
DROP TABLE IF EXISTS outbox_audit;
DROP TABLE IF EXISTS outbox_held;
DROP TABLE IF EXISTS outbox_progress;
DROP TABLE IF EXISTS outbox_mark;
DROP TABLE IF EXISTS outbox;
DROP FUNCTION IF EXISTS outbox_notify();
DROP FUNCTION IF EXISTS outbox_stamp();
