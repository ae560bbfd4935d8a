// node with_node_pg.js URL FILE: the lines of FILE, in hex: bytes, then texts, each in a transaction of its own
const { readFileSync } = require('fs');
const pg = require('pg');

async function main([url, path]) {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const [payload, ...texts] = lines.map((line) => Buffer.from(line, 'hex'));
  const client = new pg.Client({ connectionString: url });
  const insert = 'INSERT INTO outbox (topic, data) VALUES ($1, $2)';
  await client.connect();
  for (const text of texts.map(String)) {
    await client.query('BEGIN');
    await client.query(insert, ['insert', text]);
    await client.query('SELECT outbox_send($1, $2)', ['call', text]);
    await client.query('COMMIT');
  }
  await client.query('INSERT INTO outbox (topic, payload) VALUES ($1, $2)', ['bytes', payload]);
  await client.query(insert, ['nul', 'a\0b']).catch((error) => console.log('refused:', error.message));
  await client.end();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
