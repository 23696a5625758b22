#!/usr/bin/env bash
# ansible-test sanity on a copy of the tree, where only PyPI is within reach.
set -euo pipefail
cd "$(dirname "$0")/../.."
# Another environment, and with it another ansible-core, may be named; so may where its kubernetes.core is.
venv=${VENV:-$PWD/.venv}
collections=${ANSIBLE_COLLECTIONS_PATH:-$PWD/.collections}
home=$PWD/.cache/sanity
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
root=$copy/ansible_collections
target=$root/disconnected/openshift

# ansible-test wants to stand in .../ansible_collections/NAMESPACE/NAME, resolves symbolic links, and sees no file that git
# ignores: a copy outside this repository it is. Its own virtual environments stay in .cache, for the next time.
mkdir -p "$target" "$home/.ansible/test/cache"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi  # git lists files that were just removed, too
done | tar --null -T - -cf - | tar -xf - -C "$target"
cp -r "$collections/ansible_collections/kubernetes" "$root/"

# It downloads get-pip.py from its own site; pip bundled with Python does the same work.
cat >"$home/.ansible/test/cache/get_pip_25_2.py" <<'PYTHON'
"""Installs pip from the wheel that ensurepip carries, or that lies where a distribution keeps it; takes get-pip's arguments."""
import ensurepip
import glob
import os
import runpy
import sys
import sysconfig

places = [os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR") or ""]
wheel = next(found for place in places for found in glob.glob(os.path.join(place, "pip-*.whl")))
sys.path.insert(0, wheel)
arguments = [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
sys.argv = ["pip", "install", "--upgrade"] + (arguments or ["pip"])
runpy.run_module("pip", run_name="__main__")
PYTHON
for version in 24_2 23_1_2; do cp "$home/.ansible/test/cache/get_pip_25_2.py" "$home/.ansible/test/cache/get_pip_$version.py"; done

cd "$target"
version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
HOME=$home PATH=$venv/bin:$PATH "$venv/bin/ansible-test" sanity --color no --python "$version" "$@" >"$home/log" 2>&1 || {
    grep -E '^(ERROR|FATAL|WARNING)' "$home/log" >&2 || tail -n 40 "$home/log" >&2
    exit 1
}
if grep -q 'All targets skipped' "$home/log"; then
    echo "ansible-test found nothing to test; its output is in $home/log" >&2
    exit 1
fi
echo "ansible-test sanity: passed"
