#!/usr/bin/env bash
# Evidence for the vehicle's safety: fault trials in virtual time and hostile messages against a live bridge, with each of
# the built-in robots; fault trials in real processes, the protocol's states, line coverage and mutants of the deciding
# modules. All of it also goes to safety.json in the target folder.
# usage: scripts/safety.sh [--quick] [--built] [--to FOLDER]
#   --quick      without line coverage and mutants, which take hours
#   --built      with the programs as they lie in the target folder; with --quick nothing is built or installed
#                (line coverage and mutants build programs of their own and install their tools)
#   --to FOLDER  writes everything there instead of to the target folder
# variables: TRIALS (1000) and MESSAGES (100000) of each robot, PROCESS_TRIALS (50)
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO="${CARGO:-cargo}"
target="${CARGO_TARGET_DIR:-target}"
programs="$target/release"
core=vehicle-core/src
deciding="$core/(gate/(actuation|admission|freshness|limits|mod)|governor|authority|fallback)\\.rs"

quick= built= to="$target"
while [[ $# -gt 0 ]]; do
    case $1 in
    --quick) quick=yes ;;
    --built) built=yes ;;
    --to)
        to="${2:?--to wants a folder}"
        shift
        ;;
    *)
        echo "safety.sh: unknown argument $1; usage: scripts/safety.sh [--quick] [--built] [--to FOLDER]" >&2
        exit 2
        ;;
    esac
    shift
done
parts="$to/safety"
# What an earlier run left would count as this one's.
rm -rf "$parts"
mkdir -p "$parts"

tool() { # tool NAME: installs a cargo tool that is missing
    command -v "$1" >/dev/null || "$CARGO" install --locked "$1"
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

# Every state of the authority protocol. Cargo puts a hash into the name of a test's program: the newest is the one.
model() {
    if [[ -z $built ]]; then
        "$CARGO" nextest run --release --workspace --test authority_model --no-capture
        return
    fi
    local program
    program=$(find "$programs/deps" -name 'authority_model-*' -type f -executable -printf '%T@ %p\n' | sort -n | tail -1)
    if [[ -z $program ]]; then
        echo "safety.sh: no authority_model in $programs/deps; run without --built" >&2
        return 1
    fi
    "${program#* }" --nocapture
}

if [[ -z $built ]]; then
    tool cargo-nextest
    # With the whole workspace's features (`cargo run` takes no --workspace), so that nothing is compiled twice.
    echo "== programs" >&2
    "$CARGO" build --release --workspace --bin takeover --example fault_trials --example hostile_messages \
        --example process_trials
fi
if [[ -z $quick ]]; then
    tool cargo-llvm-cov
    tool cargo-mutants
    coverage_tools
fi

echo "== ${TRIALS:-1000} fault trials of each robot in virtual time" >&2
"$programs/examples/fault_trials" "${TRIALS:-1000}" 1 "$parts/virtual_trials.json"

echo "== every state of the authority protocol" >&2
model | tee "$parts/model.txt"

echo "== ${MESSAGES:-100000} hostile messages against a live bridge of each robot" >&2
"$programs/examples/hostile_messages" "${MESSAGES:-100000}" 1 "$parts/hostile.json"

echo "== ${PROCESS_TRIALS:-50} fault trials in real processes" >&2
"$programs/examples/process_trials" "${PROCESS_TRIALS:-50}" "$parts/process_trials.json"

if [[ -z $quick ]]; then
    echo "== line coverage" >&2
    "$CARGO" llvm-cov nextest --release -p vehicle-core --lib --json --summary-only \
        --output-path "$parts/coverage.json" >/dev/null
    echo "== mutants" >&2
    # Its own status says that mutants survived, which the summary judges.
    "$CARGO" mutants --package vehicle-core --jobs 1 --test-tool nextest --output "$parts" \
        --file "$core/gate/*.rs" --file "$core/governor.rs" --file "$core/authority.rs" --file "$core/fallback.rs" \
        --cargo-arg=--release -- --lib || true
fi
python3 scripts/safety_summary.py "$parts" "$deciding" "$to/safety.json" ${quick:+--quick}
