#!/usr/bin/env bash
# ansible-lint with the production profile, offline, on what git tracks.
set -euo pipefail
cd "$(dirname "$0")/../.."
lint=$PWD/.venv/bin/ansible-lint
# Below the collections tree the linter resolves our own FQCNs; --offline keeps it from asking Galaxy.
cd .collections/ansible_collections/disconnected/openshift
export PATH=${lint%/*}:$PATH
"$lint" --offline --profile production -q --nocolor
exec "$lint" --offline --profile production -q --nocolor -c /dev/null docs/examples/awx-project
