DROP TABLE outbox_audit;
DROP TABLE outbox_relay;
DROP TABLE outbox_held;
DROP TABLE outbox_progress;
DROP TABLE outbox_mark;
