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

tool() { # tool NAME: installs a cargo tool that is missing
    command -v "$1" >/dev/null || cargo install --locked "$1"
}

# The compiler's own tools for coverage; without them, the system's of the same version.
coverage_tools() {
    if ls "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-cov >/dev/null 2>&1 ||
        rustup component add llvm-tools >/dev/null 2>&1; then
        return
    fi
    local major bin
    major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    bin="/usr/lib/llvm-$major/bin"
    [[ -x "$bin/llvm-cov" ]] || apt-get install -y "llvm-$major" >/dev/null 2>&1 || true
    if [[ ! -x "$bin/llvm-cov" ]]; then
        echo "line coverage needs: rustup component add llvm-tools, or: apt-get install llvm-$major" >&2
        exit 1
    fi
    export LLVM_COV="$bin/llvm-cov" LLVM_PROFDATA="$bin/llvm-profdata"
}

tool cargo-nextest
if [[ "${1:-}" != "--quick" ]]; then
    tool cargo-llvm-cov
    tool cargo-mutants
    coverage_tools
fi

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
    echo "== line coverage" >&2
    cargo llvm-cov nextest --release -p vehicle-bridge --lib --json --summary-only \
        --output-path "$parts/coverage.json" >/dev/null
    echo "== mutants" >&2
    # Its own status says that mutants survived, which the summary judges.
    cargo mutants --package vehicle-bridge --jobs 1 --test-tool nextest --output "$parts" \
        --file "$core/gate/*.rs" --file "$core/governor.rs" --file "$core/authority.rs" --file "$core/fallback.rs" \
        --cargo-arg=--release -- --lib || true
fi
python3 scripts/safety_summary.py "$parts" "$deciding" "$target/safety.json"
