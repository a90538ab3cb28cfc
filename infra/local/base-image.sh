#!/usr/bin/env bash
# usage: base-image.sh IMAGE (after `make .sam/installed`)
# Makes sure that AWS's base image for Lambda is here, and prints what to build from. Where it can't be pulled, that is a
# stand-in: Debian's minimal system and Python, AWS's runtime interface client, and its emulator, which comes with SAM CLI. The
# stand-in has the label everscore.stand-in, and is said each time; it is for tests, never to deploy.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=$1
stand_in=everscore/stand-in:python3.13
release=trixie # whose Python is 3.13
case $(uname -m) in
  aarch64 | arm64) emulator=aws-lambda-rie-arm64 ;;
  *) emulator=aws-lambda-rie-x86_64 ;;
esac
pull_s=120
pull_again_s=30 # where a stand-in serves meanwhile

is_here() { docker image inspect "$1" > /dev/null 2>&1; }
build_from_stand_in() {
  echo "base image: a stand-in for $image, which could not be pulled: good for tests, not for AWS" >&2
  echo "$stand_in"
}

if is_here "$image"; then
  echo "$image"
  exit 0
fi
if is_here "$stand_in"; then
  pull_s=$pull_again_s
fi
if pulled=$(timeout "$pull_s" docker pull --quiet "$image" 2>&1); then
  echo "$image"
  exit 0
fi
if is_here "$stand_in"; then
  build_from_stand_in
  exit 0
fi
echo "base image: $image cannot be pulled (${pulled##*$'\n'}); making a stand-in from Debian's packages, once, for a minute or two" >&2

if [ "$(id -u)" -ne 0 ]; then
  echo "making the stand-in takes root: run 'sudo $0 $*' once" >&2
  exit 1
fi
if ! command -v debootstrap > /dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap > /dev/null
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
if ! debootstrap --variant=minbase --include=ca-certificates,python3-pip,python3.13 "$release" "$root" > "$work/log" 2>&1; then
  tail -n 15 "$work/log" >&2
  exit 1
fi

# Where a proxy signs connections again, its certificates are needed to install packages inside the image.
[ -z "${SSL_CERT_FILE:-}" ] || cp "$SSL_CERT_FILE" "$root/etc/ssl/certs/ca-certificates.crt"

mkdir -p "$root"/var/{lang/bin,runtime,task}
for name in python python3 python3.13; do
  ln -s /usr/bin/python3.13 "$root/var/lang/bin/$name"
done
.tools/bin/uv pip install --quiet --python .sam --target "$root/var/runtime" --require-hashes --requirement requirements/runtime.txt
install -m 755 .sam/lib/python3.13/site-packages/samcli/local/rapid/"$emulator" "$root/usr/local/bin/aws-lambda-rie"
cat > "$root/var/runtime/bootstrap" << 'BOOTSTRAP'
#!/bin/sh
cd "$LAMBDA_TASK_ROOT" && PYTHONPATH="$LAMBDA_RUNTIME_DIR" exec python3.13 -m awslambdaric "$_HANDLER"
BOOTSTRAP
cat > "$root/lambda-entrypoint.sh" << 'ENTRYPOINT'
#!/bin/sh
export _HANDLER="$1"
[ -n "$AWS_LAMBDA_RUNTIME_API" ] || exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
exec /var/runtime/bootstrap
ENTRYPOINT
chmod 755 "$root/var/runtime/bootstrap" "$root/lambda-entrypoint.sh"
rm -rf "$root"/var/{cache/apt,lib/apt/lists,log}/*

tar -C "$root" -c . | docker import \
  --change 'ENV PATH=/var/lang/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 TZ=:/etc/localtime LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime' \
  --change 'WORKDIR /var/task' --change 'ENTRYPOINT ["/lambda-entrypoint.sh"]' --change 'LABEL everscore.stand-in=true' - "$stand_in" > /dev/null
build_from_stand_in
