#!/usr/bin/env bash
# usage: audit.sh (after `make .audit/installed`)
# Looks up each locked package among known vulnerabilities. Exit code 1: some were found. Exit code 75: nothing was audited,
# because no service that knows them answers from here. That is shown by a release whose vulnerabilities have been known for
# years: pip-audit takes a package that a service has not heard of for one without any.
set -uo pipefail
cd "$(dirname "$0")/.."
known=jinja2==2.10
unreachable=75

audit() { .audit/bin/pip-audit --strict --disable-pip --progress-spinner off --requirement "$@" 2>&1; }

asked=$(mktemp)
trap 'rm -f "$asked"' EXIT
echo "$known" > "$asked"
answer=$(audit "$asked" --no-deps)
if ! grep -qE '(CVE|GHSA|PYSEC)-' <<< "$answer"; then
  echo "NOT audited: the service of known vulnerabilities does not answer from here, or knows nothing of $known" >&2
  exit "$unreachable"
fi
found=0
for lock in requirements/*.txt; do
  echo "$lock"
  audit "$lock" --require-hashes || found=1
done
exit "$found"
