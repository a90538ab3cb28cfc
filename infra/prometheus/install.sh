#!/usr/bin/env bash
# Prometheus and promtool, which the tests ask and check rules with: Debian's or Ubuntu's package, unpacked into .tools/prometheus
# so that no service is started. Does nothing where both are on the PATH. Fails if they can't be had.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v prometheus > /dev/null && command -v promtool > /dev/null && exit 0
[ -x .tools/prometheus/usr/bin/promtool ] && exit 0
if ! command -v apt-get > /dev/null; then
  echo "the tests need Prometheus: install it, so that 'prometheus' and 'promtool' are on the PATH" >&2
  exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
apt-cache show prometheus > /dev/null 2>&1 || "${as_root[@]}" apt-get update -qq
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && apt-get download -qq prometheus > /dev/null)
mkdir -p .tools
dpkg-deb --extract "$folder"/prometheus_*.deb "$folder/unpacked"
rm -rf .tools/prometheus
mv "$folder/unpacked" .tools/prometheus
.tools/prometheus/usr/bin/promtool --version > /dev/null
