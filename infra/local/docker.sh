#!/usr/bin/env bash
# A Docker engine that answers: the one that runs, or else Debian's or Ubuntu's package, installed where it is missing and
# started as root. It stays up. Fails, saying why, if none can be had.
set -euo pipefail
log=/var/log/dockerd-everscore.log
wait_s=60

answers() { docker info > /dev/null 2>&1; }

answers && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
if ! command -v dockerd > /dev/null; then
  if ! command -v apt-get > /dev/null; then
    echo "the image needs Docker: install it and start it, so that 'docker info' answers" >&2
    exit 1
  fi
  echo "installing Docker" >&2
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io > /dev/null
  command -v docker > /dev/null ||
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-cli > /dev/null
fi
if ! answers; then
  echo "starting Docker" >&2
  # Without the files that are open here: a lock among them would be held for as long as Docker runs.
  "${as_root[@]}" bash -c "for open in /proc/self/fd/*; do
    ((\${open##*/} < 3)) || eval \"exec \${open##*/}>&-\"
  done
  setsid dockerd > $log 2>&1 < /dev/null &"
fi
for _ in $(seq "$wait_s"); do
  answers && exit 0
  sleep 1
done
echo "Docker does not answer after $wait_s s:" >&2
docker info >&2 || true
"${as_root[@]}" tail -n 15 "$log" >&2
exit 1
