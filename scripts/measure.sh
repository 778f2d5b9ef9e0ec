#!/usr/bin/env bash
# Measures what the documents claim: keeps the results in docs/measured and writes the documents' tables from them.
# usage: scripts/measure.sh [PART...]; `tables` writes the tables again without measuring anything
# parts: demo, latency, link, bench, recorder, privacy (all of these without arguments), fuzz
# Run nothing else meanwhile. `link` needs root's rights (or sudo that asks for nothing).
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO="${CARGO:-cargo}"
target="${CARGO_TARGET_DIR:-target}"

"$CARGO" build --release --workspace --bin takeover --bin takeover-console --example documents --example look \
    --example draw_camera
if [[ "${1:-}" == tables ]]; then
    exec "$target/release/examples/documents"
fi
exec "$target/release/examples/documents" measure "$@"
