-- The state of every row for every route. A view that is stored cannot span two files, so this one is TEMP: it lives as long
-- as the connection. In the sqlite3 shell:
--
--   sqlite3 orders.db
--   sqlite> ATTACH 'orders.db.outboxd' AS outboxd;
--   sqlite> .read schema/sqlite/outbox_status.sql
--   sqlite> SELECT * FROM outbox_status WHERE state = 'dead';
--
-- sent: the route's mark has passed the row and it is not held. A route that takes some topics only passes the others too;
-- the view knows marks, not the relay's configuration.

CREATE TEMP VIEW outbox_status AS
SELECT m.route AS route,
       o.seq AS seq,
       o.id AS id,
       o.topic AS topic,
       o.message_key AS message_key,
       coalesce(h.state, CASE WHEN o.seq <= m.seq THEN 'sent' ELSE 'pending' END) AS state,
       coalesce(h.attempts, 0) AS attempts,
       h.last_error AS last_error
  FROM (SELECT route, min(seq) AS seq FROM outboxd.outbox_mark GROUP BY route) AS m
 CROSS JOIN main.outbox AS o
  LEFT JOIN outboxd.outbox_held AS h ON h.route = m.route AND h.seq = o.seq;
