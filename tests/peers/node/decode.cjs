// Decoders of protobuf messages, made of the definitions that a file or a live view carries.

/** @param {NodeJS.Require} need loads npm's packages */
module.exports = (need) => {
  const protobuf = need("protobufjs");
  need("protobufjs/ext/descriptor");
  const types = new Map();
  /**
   * @param {string} name
   * @param {Uint8Array} definition a FileDescriptorSet
   * @param {Uint8Array} data
   */
  return (name, definition, data) => {
    if (!types.has(name)) {
      const root = protobuf.Root.fromDescriptor(definition);
      root.resolveAll();
      types.set(name, root.lookupType(name));
    }
    const type = types.get(name);
    return type.toObject(type.decode(data), { longs: String, bytes: String });
  };
};
