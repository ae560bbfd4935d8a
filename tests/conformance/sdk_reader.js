// Reads messages with the CloudEvents SDK for JavaScript, for sdk_test.py: node sdk_reader.js http, nats or mqtt. One line of
// JSON each comes in, one per event goes out; what a strict reader has against it stands beside its attributes as `refused`.
const { HTTP, MQTT } = require('cloudevents');
const { createInterface } = require('readline');

const http = (headers, _, body) => HTTP.toEvent({ headers, body });
const read = {
  http,
  nats: http, // its binding is that of HTTP
  // The SDK leaves the content type where it is.
  mqtt: (headers, type, body) =>
    MQTT.toEvent({ headers: { ...headers, datacontenttype: type ?? undefined }, body, PUBLISH: { 'Content Type': type } }),
}[process.argv[2]];

createInterface({ input: process.stdin }).on('line', (line) => {
  const { headers, content_type: type, body } = JSON.parse(line);
  const bytes = Buffer.from(body, 'base64');
  const event = read(headers, type, /json/.test(type) ? bytes.toString() : bytes);
  const { data, data_base64: _, ...attributes } = event;
  try {
    event.validate();
  } catch (error) {
    attributes.refused = error.message;
  }
  const found = Buffer.isBuffer(data) || typeof data === 'string' ? data : JSON.stringify(data);
  console.log(JSON.stringify({ attributes, data: Buffer.from(found).toString('base64') }));
});
