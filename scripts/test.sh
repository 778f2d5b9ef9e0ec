#!/usr/bin/env bash
# Formatting, lints, tests, doc tests: one profile, so that everything is compiled once.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo nextest --version >/dev/null 2>&1; then
    echo "installing cargo-nextest" >&2
    cargo install --locked cargo-nextest
fi

echo "== formatting" >&2
cargo fmt --all --check
echo "== JavaScript" >&2
scripts/check_js.sh
echo "== lints" >&2
cargo clippy --release --workspace --all-targets -- -D warnings
echo "== programs" >&2
cargo build --release --workspace --all-targets
echo "== tests" >&2
cargo nextest run --release --workspace --no-fail-fast
echo "== doc tests" >&2
cargo test --release --workspace --doc
