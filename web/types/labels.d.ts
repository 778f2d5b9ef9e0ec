// The words of the protocol, as the control plane makes them in src/routes/pages.rs, where a test holds this file to it.
// Arrays are indexed by the protobuf codes: a code that nothing stands for gives null, one beyond the end undefined.

export const MODES: readonly (string | null)[];
export const AUTHORS: readonly (string | null)[];
export const REASONS: readonly (string | null)[];
export const CAUSES: readonly string[];
export const VERDICTS: readonly string[];
/** What to do about a failure, by its code. */
export const FAILURES: Readonly<Record<string, string>>;
