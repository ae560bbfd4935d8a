-- sqlite3 -bail -cmd ".parameter set @order 7" shop.db < place_order_sqlite.sql
BEGIN IMMEDIATE;
INSERT INTO orders (id, customer) VALUES (@order, 'customer-3');
INSERT INTO outbox (topic, message_key, type, data)
VALUES ('order.placed', CAST(@order AS TEXT), 'shop.order.placed',
        json_object('order', @order, 'customer', 'customer-3'));
COMMIT;
