// What static/protobuf.js makes of a schema, worked out from the schema itself: a field that a schema does not list, or that
// is misspelt where it is read, is an error.

declare namespace Protobuf {
  type Kind =
    | "number" | "double" | "float" | "bool" | "string" | "bytes" | "strings" | "doubles"
    | Schema | readonly [Schema];

  interface Schema {
    readonly [number: number]: readonly [name: string, kind: Kind];
  }

  type Value<K> =
    K extends "number" | "double" | "float" ? number :
    K extends "bool" ? boolean :
    K extends "string" ? string :
    K extends "bytes" ? Uint8Array :
    K extends "strings" ? string[] :
    K extends "doubles" ? number[] :
    K extends readonly [infer S] ? Decoded<S>[] :
    Decoded<K> | undefined;

  type Fields<S> = Extract<S[keyof S], readonly [string, unknown]>;

  /** A message as it is read: only messages within it may be missing. */
  type Decoded<S> = { [F in Fields<S> as F[0]]: Value<F[1]> };

  type Given<K> =
    K extends "number" | "double" | "float" ? number :
    K extends "bool" ? boolean :
    K extends "string" ? string :
    K extends "doubles" ? readonly number[] :
    K extends readonly [infer S] ? readonly Encodable<S>[] :
    Encodable<K>;

  /** A message as it is written: what is missing is left out. */
  type Encodable<S> = { [F in Fields<S> as F[0]]?: Given<F[1]> | null };
}
