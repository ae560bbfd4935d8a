-- psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -v order=7 -f place_order_postgresql.sql
BEGIN;
INSERT INTO orders (id, customer) VALUES (:order, 'customer-3');
INSERT INTO outbox (topic, message_key, type, data)
VALUES ('order.placed', :'order', 'shop.order.placed',
        json_build_object('order', :order, 'customer', 'customer-3')::text);
COMMIT;

-- The same in one call, with the message's id as its answer:
--   SELECT outbox_send('order.placed', jsonb_build_object('order', 7), message_key => '7', type => 'shop.order.placed');
