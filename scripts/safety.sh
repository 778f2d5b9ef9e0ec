#!/usr/bin/env bash
# Evidence for the vehicle's safety: fault trials in virtual time and in real processes, hostile messages against a live
# bridge, the protocol's states, line coverage and mutants of the deciding modules. All of it also goes to safety.json in
# the target folder.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
parts="$target/safety"
mkdir -p "$parts"
core=vehicle-bridge/src/core
deciding="$core/(gate/(actuation|admission|freshness|limits|mod)|governor|authority|fallback)\\.rs"

echo "== ${TRIALS:-1000} fault trials in virtual time" >&2
cargo run --release --workspace --example fault_trials -- "${TRIALS:-1000}" 1 "$parts/virtual_trials.json"

echo "== every state of the authority protocol" >&2
cargo nextest run --release --workspace --test authority_model --no-capture | tee "$parts/model.txt"

echo "== programs" >&2
cargo build --release --workspace --bin takeover --example hostile_messages --example process_trials

echo "== ${MESSAGES:-100000} hostile messages against a live bridge" >&2
"$target/release/examples/hostile_messages" "${MESSAGES:-100000}" 1 "$parts/hostile.json"

echo "== ${PROCESS_TRIALS:-50} fault trials in real processes" >&2
"$target/release/examples/process_trials" "${PROCESS_TRIALS:-50}" "$parts/process_trials.json"

if [[ "${1:-}" != "--quick" ]]; then
    for tool in cargo-llvm-cov cargo-mutants; do
        command -v "$tool" >/dev/null || cargo install --locked "$tool"
    done
    echo "== line coverage" >&2
    rustup component add llvm-tools >/dev/null 2>&1 || true
    cargo llvm-cov nextest --release -p vehicle-bridge --lib --json --summary-only \
        --output-path "$parts/coverage.json" >/dev/null
    echo "== mutants" >&2
    # Its own status says that mutants survived, which the summary judges.
    cargo mutants --package vehicle-bridge --jobs 1 --test-tool nextest --output "$parts" \
        --file "$core/gate/*.rs" --file "$core/governor.rs" --file "$core/authority.rs" --file "$core/fallback.rs" \
        --cargo-arg=--release -- --lib || true
fi
python3 scripts/safety_summary.py "$parts" "$deciding" "$target/safety.json"
