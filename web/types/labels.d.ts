// The words of the protocol, as the control plane makes them in src/routes/pages.rs, where a test holds this file to it.
// Arrays are indexed by the protobuf codes: a code that this page does not know gives undefined.

export const MODES: readonly string[];
export const AUTHORS: readonly string[];
export const REASONS: readonly string[];
export const CAUSES: readonly string[];
export const VERDICTS: readonly string[];
/** What to do about a failure, by its code. */
export const FAILURES: Readonly<Record<string, string>>;
/** Names of the observation's channels by embodiment. */
export const OBSERVATIONS: Readonly<Record<string, readonly string[]>>;
export const EMBODIMENTS: Readonly<Record<string, { action: readonly { name: string; min: number; max: number }[] }>>;
