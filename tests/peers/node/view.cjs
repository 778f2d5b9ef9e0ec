// A viewer: `@foxglove/ws-protocol`, the client library of Foxglove and Lichtblick. Subscribes to every topic, decodes what
// comes until each of the wanted topics came five times, and prints one JSON object.
//
//     node view.cjs FOLDER_OF_NODE_MODULES ADDRESS SUBPROTOCOL TOPIC...

const { createRequire } = require("node:module");
const [folder, address, subprotocol, ...wanted] = process.argv.slice(2);
const need = createRequire(`${folder}/`);
const WebSocket = need("ws");
const { FoxgloveClient } = need("@foxglove/ws-protocol");
const decode = require("./decode.cjs")(need);

const socket = new WebSocket(address, [subprotocol]);
const client = new FoxgloveClient({ ws: socket });
const channels = new Map();
/** @type {Record<string, number>} */
const topics = {};
/** @type {any} */
let server;
let times = 0;

/** @param {unknown} problem */
function fail(problem) {
  console.error(problem, JSON.stringify(topics));
  process.exit(1);
}

const timeout = setTimeout(() => fail("not everything came within 60 s"), 60_000);
client.on("error", fail);
client.on("close", () => fail("the server closed the connection"));
client.on("status", (/** @type {unknown} */ status) => fail(`the server says ${JSON.stringify(status)}`));
client.on("serverInfo", (/** @type {any} */ info) => (server = info));
client.on("time", () => (times += 1));
client.on("advertise", (/** @type {{ id: number }[]} */ advertised) => {
  for (const channel of advertised) channels.set(client.subscribe(channel.id), channel);
});
client.on("message", (/** @type {any} */ { subscriptionId, timestamp, data }) => {
  const channel = channels.get(subscriptionId);
  decode(channel.schemaName, Buffer.from(channel.schema, "base64"), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  if (timestamp === 0n) fail(`a message of ${channel.topic} has no time`);
  topics[channel.topic] = (topics[channel.topic] ?? 0) + 1;
  if (wanted.every((topic) => topics[topic] >= 5) && times > 0) {
    clearTimeout(timeout);
    console.log(JSON.stringify({ name: server.name, subprotocol: socket.protocol, topics }));
    process.exit(0);
  }
});
