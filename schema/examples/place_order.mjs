// npm install pg && node place_order.mjs postgresql://localhost/shop 7
import pg from 'pg';

const [url, order] = process.argv.slice(2);
const data = JSON.stringify({ order: Number(order), customer: 'customer-3' });

const client = new pg.Client({ connectionString: url });
await client.connect();
try {
  await client.query('BEGIN');
  await client.query('INSERT INTO orders (id, customer) VALUES ($1, $2)', [order, 'customer-3']);
  await client.query('INSERT INTO outbox (topic, message_key, type, data) VALUES ($1, $2, $3, $4)', [
    'order.placed',
    order,
    'shop.order.placed',
    data,
  ]);
  await client.query('COMMIT');
} catch (error) {
  await client.query('ROLLBACK');
  throw error;
} finally {
  await client.end();
}
