#!/usr/bin/env bash
# Says before a long build what will be compiled and about how long that takes; nothing when there is little to do.
# usage: scripts/notice.sh demo|console|test|bench|safety
set -euo pipefail
cd "$(dirname "$0")/.."
built="${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-target}}/release"

compiled() { # compiled CRATE: whether a version of this dependency lies there ready
    compgen -G "$built/deps/lib$1-*.rlib" >/dev/null
}

# The times are those of two cores, with an empty target folder.
case ${1:-} in
demo | bench) what="the program and its libraries" minutes=10 last=candle_core product=takeover ;;
console) what="the console with its 3D engine" minutes=25 last=bevy_render product=takeover-console ;;
test) what="every program, its tests and the checks of the code" minutes=60 last=bevy_render product=takeover-console ;;
safety) what="the programs, then the vehicle's core again for its coverage and for each mutant" minutes=60 last=candle_core product=takeover ;;
*)
    echo "notice.sh: unknown goal ${1:-}" >&2
    exit 2
    ;;
esac

if [ -x "$built/$product" ] && compiled "$last"; then
    exit 0
fi
# The libraries are most of it: with them there, only this repository's own code is left.
if compiled "$last"; then
    minutes=$(((minutes + 2) / 3))
fi
case $minutes in
60) long="an hour" ;;
*) long="$minutes minutes" ;;
esac
{
    echo "make $1 first compiles $what: about $long on two cores, less with more (here: $(nproc 2>/dev/null || echo '?'))."
    echo "Cargo says below how far it is. What is compiled stays: after Ctrl-C the next run goes on from there."
} >&2
