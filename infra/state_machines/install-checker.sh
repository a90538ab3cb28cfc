#!/usr/bin/env bash
# What checks definitions of state machines, into .asl; Node.js from Debian's or Ubuntu's package where none is there yet.
set -euo pipefail
if ! command -v npm > /dev/null; then
  if ! command -v apt-get > /dev/null; then
    echo "checking the state machine needs Node.js: install it, so that 'npm' is on the PATH" >&2
    exit 1
  fi
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm > /dev/null
fi
here="$(dirname "$0")"
mkdir -p .asl
cp "$here/package.json" "$here/package-lock.json" .asl/
npm ci --prefix .asl --silent --no-fund --no-audit --ignore-scripts
