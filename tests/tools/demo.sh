#!/usr/bin/env bash
# The demo: starts a lab of its own under .lab, tells the story, stops the lab again (not with KEEP=1).
set -euo pipefail
cd "$(dirname "$0")/../.."
exec .venv/bin/python tests/tools/demo.py
