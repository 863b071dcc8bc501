#!/usr/bin/env bash
# Sets up everything the other commands need, from a bare clone and Python >= 3.11 alone. Quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Two commands started at once set up one after the other.
mkdir -p .build
if command -v flock >/dev/null; then
  exec 9>.build/setup.lock
  flock 9
fi

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: Python 3.11 or newer is needed (PYTHON=/path/to/python3.11 make …)" >&2
  exit 1
}
# Scripts in a virtual environment know where they are: a moved checkout gets a new one.
if [ "$(cat .venv/.place 2>/dev/null)" != "$PWD" ]; then
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
      echo "setup: the Debian package python3-venv is needed: apt-get install python3-venv" >&2
      exit 1
    fi
    echo "setup: installing python3-venv"
    apt-get update -qq && apt-get install -qq -y python3-venv >/dev/null
  fi
  echo "setup: making .venv"
  rm -rf .venv
  "$python" -m venv .venv
  printf '%s' "$PWD" > .venv/.place
fi
wanted=$(cat requirements-setup.lock requirements-dev.lock deploy/setup.sh | sha256sum)
if [ "$(cat .venv/.synced 2>/dev/null)" != "$wanted" ]; then
  echo "setup: installing the locked dependencies"
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-setup.lock
  .venv/bin/uv pip sync -q --require-hashes --python .venv/bin/python requirements-dev.lock
  site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  # The code, and the code generated from the protos, are imported from where they are.
  printf '%s\n%s\n' "$PWD" "$PWD/proto/gen" > "$site/recourse.pth"
  printf '%s' "$wanted" > .venv/.synced
fi
.venv/bin/python -m deploy.protos
