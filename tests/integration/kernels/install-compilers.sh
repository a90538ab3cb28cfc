#!/usr/bin/env bash
# What the kernels' tests build and run with: gcc and its sanitizers, gcc for both of Lambda's architectures, and QEMU, which
# runs programs on processors that are not here. Debian's or Ubuntu's packages where they are missing. Fails if they can't be had.
set -euo pipefail
is_here() {
  for name in gcc x86_64-linux-gnu-gcc aarch64-linux-gnu-gcc qemu-x86_64 qemu-aarch64; do
    command -v "$name" > /dev/null || return 1
  done
}

is_here && exit 0
if ! command -v apt-get > /dev/null; then
  echo "the kernels' tests need gcc, {x86_64,aarch64}-linux-gnu-gcc and qemu-{x86_64,aarch64}: install them, so that they are on the PATH" >&2
  exit 1
fi
case $(uname -m) in
  aarch64 | arm64) other=x86-64-linux-gnu libc=libc6-dev-amd64-cross ;;
  *) other=aarch64-linux-gnu libc=libc6-dev-arm64-cross ;;
esac
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
exec 9< "$0"
flock 9  # two processes that run tests may come here at once
is_here && exit 0
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  gcc libc6-dev "gcc-$other" "$libc" qemu-user > /dev/null
is_here
