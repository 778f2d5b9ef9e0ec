#!/usr/bin/env bash
# Fuzzes everything that comes from outside, from the kept corpus (docs/fuzzing.md).
# usage: [SECONDS_EACH=60] [JOBS=1] scripts/fuzz.sh [--cmin] [TARGET...]
#   --cmin  puts the smallest corpus that reaches as much in the place of the kept one, instead of fuzzing
set -uo pipefail
cd "$(dirname "$0")/.."

root=$PWD/tests/fuzz
crate=$root/targets
seconds=${SECONDS_EACH:-60}
jobs=${JOBS:-1}
export CARGO_TARGET_DIR="${FUZZ_TARGET_DIR:-${CARGO_TARGET_DIR:-$PWD/target}/fuzz}"
# The instrumentation is an unstable part of the compiler; this opens it on the stable one.
export RUSTC_BOOTSTRAP=1
# Longest input, bytes; longest time of one, seconds; most memory, MiB: of the process, and asked for at once. Leaks are
# not looked for: where processes may not trace each other, as in containers, the search for them may hang.
limits=(-max_len="${MAX_LEN:-65536}" -timeout="${TIMEOUT:-10}" -rss_limit_mb=2048 -malloc_limit_mb=512 -detect_leaks=0)

if ! [[ $seconds =~ ^[1-9][0-9]*$ && $jobs =~ ^[1-9][0-9]*$ ]]; then
    echo "fuzz.sh: SECONDS_EACH=$seconds, JOBS=$jobs: whole numbers from 1 on are needed" >&2
    exit 2
fi
mapfile -t all < <(sed -n 's/^name = "\(.*\)"/\1/p' "$crate/Cargo.toml" | grep -v '^fuzz-targets$' | sort)
cmin=false targets=()
for word in "$@"; do
    case $word in
    --cmin) cmin=true ;;
    *)
        if ! printf '%s\n' "${all[@]}" | grep -qx -- "$word"; then
            echo "fuzz.sh: there is no target $word; there are: ${all[*]}" >&2
            exit 2
        fi
        targets+=("$word")
        ;;
    esac
done
[ ${#targets[@]} -gt 0 ] || targets=("${all[@]}")

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "installing cargo-fuzz" >&2
    cargo install --locked cargo-fuzz || exit 1
fi

# The versions of the workspace, and two crates besides: libfuzzer-sys and what it needs.
cp Cargo.lock "$crate/Cargo.lock"
triple=$(rustc -vV | sed -n 's/^host: //p')
for target in "${targets[@]}"; do
    (cd "$crate" && cargo fuzz build --fuzz-dir . --target "$triple" "$target") || exit 1
done
program() { echo "$CARGO_TARGET_DIR/$triple/release/$1"; }
# Everything that was ever found lies in the target folder; the kept corpus is the small part of it that is committed.
found() { echo "$CARGO_TARGET_DIR/corpus/$1"; }
crashes() { echo "$CARGO_TARGET_DIR/crashes/$1"; }
log() { echo "$CARGO_TARGET_DIR/log/$1.log"; }
mkdir -p "$CARGO_TARGET_DIR/log"

if $cmin; then
    for target in "${targets[@]}"; do
        kept=$root/corpus/$target smallest=$CARGO_TARGET_DIR/smallest/$target
        rm -rf "$smallest"
        mkdir -p "$smallest" "$kept" "$(found "$target")"
        "$(program "$target")" -merge=1 "${limits[@]}" "$smallest" "$kept" "$(found "$target")" >"$(log "$target")" 2>&1 || {
            echo "fuzz.sh: $target could not be minimised, see $(log "$target")" >&2
            exit 1
        }
        # The smallest first, as long as there is room.
        room=${KEEP_BYTES:-100000}
        rm -f "$kept"/*
        while read -r bytes file; do
            room=$((room - bytes))
            [ "$room" -ge 0 ] || break
            cp "$file" "$kept/"
        done < <(find "$smallest" -type f -printf '%s %p\n' | sort -n)
        echo "$target: $(find "$smallest" -type f | wc -l) inputs reach everything, $(find "$kept" -type f | wc -l) are kept" >&2
    done
    exit 0
fi

declare -A pids=() started=() took=() ended=()
interrupted=false
stop() {
    interrupted=true
    [ ${#pids[@]} -eq 0 ] || kill -TERM "${pids[@]}" 2>/dev/null
}
trap stop INT TERM

start() { # start TARGET: in the background
    local target=$1 old
    mkdir -p "$root/corpus/$target" "$(found "$target")" "$(crashes "$target")"
    # What broke something before is no find of this run.
    old=$(crashes "$target")/old
    mkdir -p "$old"
    find "$(crashes "$target")" -maxdepth 1 -type f -exec mv -t "$old" {} +
    nice -n "${NICE:-10}" "$(program "$target")" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$(crashes "$target")/" "$(found "$target")" "$root/corpus/$target" >"$(log "$target")" 2>&1 &
    pids[$target]=$!
    started[$target]=$SECONDS
    echo "$target: $seconds s, log in $(log "$target")" >&2
}
reap() { # waits for one of those that run
    local target
    wait -n "${pids[@]}" 2>/dev/null
    for target in "${!pids[@]}"; do
        if ! kill -0 "${pids[$target]}" 2>/dev/null; then
            wait "${pids[$target]}" 2>/dev/null
            ended[$target]=$?
            took[$target]=$((SECONDS - started[$target]))
            unset "pids[$target]"
        fi
    done
}
for target in "${targets[@]}"; do
    $interrupted && break
    start "$target"
    while [ ${#pids[@]} -ge "$jobs" ]; do reap; done
done
while [ ${#pids[@]} -gt 0 ]; do reap; done

# What libFuzzer said last.
figure() { grep -o "stat::$2: *[0-9]*" "$(log "$1")" | tail -n 1 | grep -o '[0-9]*$' || echo 0; }
progress() { grep -o "$2: [0-9]*" "$(log "$1")" | tail -n 1 | grep -o '[0-9]*$' || echo 0; }
broken=() silent=() rows=()
printf '%-14s %8s %12s %9s %8s %8s %8s\n' target seconds executions exec/s edges corpus crashes
for target in "${targets[@]}"; do
    [ -n "${took[$target]:-}" ] || continue
    mapfile -t files < <(find "$(crashes "$target")" -maxdepth 1 -type f | sort)
    # A slow input is named, but is no crash.
    mapfile -t bad < <(printf '%s\n' "${files[@]}" | grep -v '/slow-unit-' | grep .)
    for file in "${bad[@]}"; do broken+=("$target $file"); done
    # It ended badly without an input: it did not start, or its own setting broke.
    if ! $interrupted && [ "${ended[$target]}" -ne 0 ] && [ ${#bad[@]} -eq 0 ]; then
        bad=(none)
        silent+=("$target")
    fi
    executions=$(figure "$target" number_of_executed_units)
    rate=$(figure "$target" average_exec_per_sec)
    edges=$(progress "$target" cov)
    corpus=$(progress "$target" corp)
    printf '%-14s %8s %12s %9s %8s %8s %8s\n' \
        "$target" "${took[$target]}" "$executions" "$rate" "$edges" "$corpus" "${#bad[@]}"
    rows+=("{\"target\": \"$target\", \"seconds\": ${took[$target]}, \"executions\": $executions, \"executions_per_second\": $rate, \"edges\": $edges, \"corpus\": $corpus, \"crashes\": ${#bad[@]}}")
done
json=$CARGO_TARGET_DIR/fuzz.json
(IFS=,; printf '[%s]\n' "${rows[*]}") | sed 's/},{/},\n {/g' >"$json"
echo "figures: $json" >&2

for line in "${broken[@]}"; do
    read -r target file <<<"$line"
    echo
    echo "$target broke on $file"
    echo "  again:     $(program "$target") $file"
    echo "  once mended, keep it: mkdir -p tests/fuzz/regressions/$target && cp $file tests/fuzz/regressions/$target/"
done
for target in "${silent[@]}"; do
    echo
    echo "$target ended with status ${ended[$target]} and left no input; the end of $(log "$target"):"
    tail -n 5 "$(log "$target")"
done
[ $((${#broken[@]} + ${#silent[@]})) -eq 0 ] || exit 1
$interrupted && exit 130
exit 0
