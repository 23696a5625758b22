#!/usr/bin/env bash
# What a maintainer runs before a release; takes minutes. The tools have a virtual environment of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.cache/release
stamp=$(sha256sum tests/release/requirements.txt | cut -c1-16)
if [ "$(cat $venv/stamp 2>/dev/null)" != "$stamp" ]; then
    echo "Installing the tools of a release into $venv"
    rm -rf $venv
    mkdir -p .cache
    {
        .venv/bin/python -m venv $venv
        $venv/bin/pip install --disable-pip-version-check -r tests/release/requirements.txt
    } >.cache/release.log 2>&1 || { tail -n 20 .cache/release.log >&2; exit 1; }
    echo "$stamp" >$venv/stamp
fi
exec $venv/bin/python -m pytest -q -p no:cacheprovider tests/release "$@"
