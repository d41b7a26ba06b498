#!/usr/bin/env bash
# Builds the dashboard's TypeScript into service/dashboard/static. Without npm it says so and leaves things as they are:
# the service answers everything but its pages.
set -euo pipefail
cd "$(dirname "$0")/../service/dashboard"

if ! command -v npm >/dev/null; then
    echo 'dashboard: npm is not here, so the pages are not built; install Node.js 20.19 or newer and run make ui' >&2
    exit 0
fi
# npm writes the hidden lock file last, so an older one means an install that is stale or was cut off.
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error
npm run --silent build
