// Reads an episode with `@mcap/core` by its index, checks every checksum and decodes every message with the definition in
// the file. Prints one JSON object: messages by topic, schemas, the last /vehicle/state, metadata and attachments.
//
//     node read_mcap.cjs FOLDER_OF_NODE_MODULES FILE

const { createRequire } = require("node:module");
const { open } = require("node:fs/promises");
const [folder, file] = process.argv.slice(2);
const need = createRequire(`${folder}/`);
const { McapIndexedReader } = need("@mcap/core");
const fzstd = need("fzstd");
const decode = require("./decode.cjs")(need);

async function main() {
  const handle = await open(file);
  const readable = {
    size: async () => BigInt((await handle.stat()).size),
    /** @type {(offset: bigint, length: bigint) => Promise<Uint8Array>} */
    read: async (offset, length) => {
      const bytes = new Uint8Array(Number(length));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, Number(offset));
      if (bytesRead !== bytes.length) throw new Error(`${bytesRead} of ${length} bytes at ${offset}`);
      return bytes;
    },
  };
  /** @type {(bytes: Uint8Array, size: bigint) => Uint8Array} */
  const zstd = (bytes, size) => fzstd.decompress(bytes, new Uint8Array(Number(size)));
  const decompressHandlers = { zstd };
  const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers });
  /** @type {Record<string, number>} */
  const topics = {};
  const schemas = new Set();
  let state;
  let last = 0n;
  for await (const message of reader.readMessages({ validateCrcs: true })) {
    const channel = reader.channelsById.get(message.channelId);
    const schema = reader.schemasById.get(channel.schemaId);
    if (message.logTime < last) throw new Error(`${message.logTime} after ${last}`);
    last = message.logTime;
    const content = decode(schema.name, schema.data, message.data);
    topics[channel.topic] = (topics[channel.topic] ?? 0) + 1;
    schemas.add(schema.name);
    if (channel.topic === "/vehicle/state") state = content;
  }
  const metadata = [];
  for await (const record of reader.readMetadata()) metadata.push(record.name);
  const attachments = [];
  for await (const record of reader.readAttachments()) attachments.push(record.name);
  const messages = Number(reader.statistics.messageCount);
  console.log(JSON.stringify({ messages, topics, schemas: [...schemas], state, metadata, attachments }));
  await handle.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
