#!/usr/bin/env bash
# Chromium, which shows the report to the tests: Debian's or Ubuntu's package where none is there yet. Fails if it can't be had.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  command -v "$name" > /dev/null && exit 0
done
if ! command -v apt-get > /dev/null; then
  echo "the report's tests need Chromium: install it, so that 'chromium' is on the PATH" >&2
  exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core > /dev/null
command -v chromium > /dev/null
