#!/usr/bin/env bash
# Installs what the lab and the tests need: Debian packages (only missing ones), a venv, kubernetes.core, and a collections
# tree in which this checkout is disconnected.openshift. Does nothing when nothing is missing. Packages of a further list are
# those that some tests can be skipped without. usage: setup.sh PYTHON [LIST], where an empty PYTHON is chosen here
set -euo pipefail
cd "$(dirname "$0")/../.."
requirements=tests/requirements.txt

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# A Python that was compiled without a profile, as version managers do it, takes a fifth longer to start a module than Debian's.
python=${1:-}
[ -n "$python" ] || { is_new_enough /usr/bin/python3 && python=/usr/bin/python3; } || python=python3
is_new_enough "$python" || {
    echo "The lab needs Python 3.11 or newer; $python is $("$python" --version 2>&1). Name another one: make PYTHON=python3.12 ..." >&2
    exit 1
}

sudo=
become() {
    if [ "$(id -u)" != 0 ]; then
        sudo=sudo
        command -v sudo >/dev/null || { echo "Debian packages are missing ($*): run this as root, or install sudo." >&2; return 1; }
    fi
    mkdir -p .cache
}

lacking() {
    grep -v '^#' "$1" | while read -r package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

mapfile -t missing < <(lacking tests/packages.txt)
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
    become "${missing[@]}"
    echo "Installing Debian packages: ${missing[*]}"
    # The registry package would start a service of its own on port 5000; the lab starts its registries itself. A service that
    # was already there is left as it is, since packages that are installed are not touched.
    $sudo env DEBIAN_FRONTEND=noninteractive tests/tools/apt-install.sh "${missing[@]}" >.cache/apt.log 2>&1 || { tail -n 20 .cache/apt.log >&2; exit 1; }
fi

if [ -n "${2:-}" ]; then
    mapfile -t optional < <(lacking "$2")
    if [ ${#optional[@]} -gt 0 ]; then
        become "${optional[@]}" && echo "Installing Debian packages: ${optional[*]}" &&
            $sudo env DEBIAN_FRONTEND=noninteractive tests/tools/apt-install.sh "${optional[@]}" >.cache/apt-of-tests.log 2>&1 ||
            echo "${optional[*]} cannot be installed; the tests that need it are skipped." >&2
    fi
fi

stamp=$(cat $requirements tests/ansible-package.txt | sha256sum | cut -c1-16)-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.base_prefix)')
if [ "$(cat .venv/stamp 2>/dev/null)" != "$stamp" ]; then
    echo "Installing Python packages into .venv"
    mkdir -p .cache
    rm -rf .venv .cache/ansible-package .collections
    {
        "$python" -m venv .venv
        .venv/bin/pip install --disable-pip-version-check -r $requirements
    } >.cache/pip.log 2>&1 || { tail -n 20 .cache/pip.log >&2; exit 1; }
    echo "$stamp" >.venv/stamp
fi
if [ ! -d .collections/ansible_collections/kubernetes/core ] || [ ! -d .collections/ansible_collections/awx/awx ]; then
    mkdir -p .cache .collections
    # Galaxy may be out of reach; the ansible package on PyPI carries kubernetes.core, and awx.awx, which the example project
    # for AWX is held against.
    {
        [ -e "$(echo .cache/ansible-package/ansible-*.whl)" ] ||
            .venv/bin/pip download --disable-pip-version-check --no-deps -d .cache/ansible-package "$(cat tests/ansible-package.txt)"
        .venv/bin/python - <<'PYTHON'
import glob
import zipfile

wanted = ("ansible_collections/kubernetes/core/", "ansible_collections/awx/awx/")
with zipfile.ZipFile(glob.glob(".cache/ansible-package/ansible-*.whl")[0]) as wheel:
    wheel.extractall(".collections", [n for n in wheel.namelist() if n.startswith(wanted)])
PYTHON
    } >>.cache/pip.log 2>&1 || { tail -n 20 .cache/pip.log >&2; exit 1; }
fi
mkdir -p .collections/ansible_collections/disconnected
ln -sfn ../../.. .collections/ansible_collections/disconnected/openshift
