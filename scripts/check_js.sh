#!/usr/bin/env bash
# Types and lints of all JavaScript: the pages' scripts and those that the tests run with Node.js. TypeScript reads the types
# from the comments, ESLint looks for the rest; a warning fails. Both are installed once, beside the tests' other judges; after
# that no network is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${HOME:?}/.cache/takeover"
tools="$cache/js"
mkdir -p "$tools"
(
    flock 9
    if ! cmp -s web/package.json "$tools/ready"; then
        echo "installing the checks of JavaScript" >&2
        cp web/package.json "$tools/package.json"
        (cd "$tools" && npm install --no-audit --no-fund --no-package-lock --loglevel=error) >&2
        cp web/package.json "$tools/ready"
    fi
) 9>"$tools.lock"

modules="$tools/node_modules"
node "$modules/typescript/bin/tsc" --project web
node "$modules/typescript/bin/tsc" --project tests/peers/node --typeRoots "$modules/@types"
NODE_PATH="$modules" node "$modules/eslint/bin/eslint.js" --config web/eslint.config.cjs --max-warnings 0 web tests/pages tests/peers/node
