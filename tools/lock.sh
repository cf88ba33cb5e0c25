#!/usr/bin/env bash
# Lock the dependencies with hashes, for every platform, without index addresses: tools/lock.sh
set -euo pipefail
cd "$(dirname "$0")/.."
uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.txt
