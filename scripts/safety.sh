#!/usr/bin/env bash
# Evidence for the vehicle's safety: fault trials, the protocol's states, line coverage and mutants of the deciding modules.
set -euo pipefail
cd "$(dirname "$0")/.."
trials="${TRIALS:-1000}"
files='vehicle-bridge/src/core/(gate/|governor|authority|fallback)'

echo "== $trials fault trials in virtual time" >&2
cargo run --release --workspace --example fault_trials -- "$trials" 1 "${CARGO_TARGET_DIR:-target}/safety.json"

echo "== every state of the authority protocol" >&2
cargo nextest run --release --workspace --test authority_model --no-capture

[[ "${1:-}" == "--quick" ]] && exit 0

for tool in cargo-llvm-cov cargo-mutants; do
    command -v "$tool" >/dev/null || cargo install --locked "$tool"
done
echo "== line coverage" >&2
cargo llvm-cov nextest --release -p vehicle-bridge --lib --summary-only 2>/dev/null | grep -E "Filename|$files" |
    awk '{ print $1, "lines", $8, "missed", $9, "covered", $10 }'
echo "== mutants" >&2
cargo mutants --package vehicle-bridge --jobs 1 --test-tool nextest \
    --file 'vehicle-bridge/src/core/gate/*.rs' --file vehicle-bridge/src/core/governor.rs \
    --file vehicle-bridge/src/core/authority.rs --file vehicle-bridge/src/core/fallback.rs \
    --cargo-arg=--release -- --lib
