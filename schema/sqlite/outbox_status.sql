-- The state of every row for every route. A view that is stored cannot span two files, so this one is TEMP: it lives as long
-- as the connection. In the sqlite3 shell:
--
--   sqlite3 orders.db
--   sqlite> ATTACH 'orders.db.outboxd' AS outboxd;
--   sqlite> .read schema/sqlite/outbox_status.sql
--   sqlite> SELECT * FROM outbox_status WHERE state = 'dead';
--
-- sent: the marks of all shards of the route have passed the row, and it is not held. A row is listed for the routes that take
-- its topic, and for one that holds it; a row that no route takes is listed as unrouted once it is held as such.

CREATE TEMP VIEW outbox_status AS
SELECT m.route AS route,
       o.seq AS seq,
       o.id AS id,
       o.topic AS topic,
       o.message_key AS message_key,
       coalesce(h.state, CASE WHEN o.seq <= m.seq THEN 'sent' ELSE 'pending' END) AS state,
       coalesce(h.attempts, 0) AS attempts,
       h.last_error AS last_error
  FROM (SELECT route, min(coalesce(seq, 0)) AS seq, min(topics) AS topics FROM outboxd.outbox_mark GROUP BY route) AS m
 CROSS JOIN main.outbox AS o
  LEFT JOIN outboxd.outbox_held AS h ON h.route = m.route AND h.seq = o.seq
 WHERE h.seq IS NOT NULL OR EXISTS (SELECT 1 FROM json_each(m.topics) AS p WHERE o.topic GLOB p.value);
