#!/usr/bin/env bash
# Print the path of a Chromium that the tests can drive, installing one when there is none.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${OUTREACH_CHROMIUM:-}" ]; then echo "$OUTREACH_CHROMIUM"; exit 0; fi
for candidate in chromium chromium-browser google-chrome google-chrome-stable \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
    if command -v "$candidate" >/dev/null 2>&1; then command -v "$candidate"; exit 0; fi
done
# Debian: the distribution's own; elsewhere, or without root, the browser that the driver brings.
if command -v apt-get >/dev/null 2>&1; then
    sudo=""
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && sudo="sudo -n"; }
    if [ "$(id -u)" = 0 ] || [ -n "$sudo" ]; then
        echo "Installing Chromium …" >&2
        $sudo apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive \
            $sudo apt-get install -y -qq chromium fonts-noto-cjk >&2 && { command -v chromium; exit 0; }
    fi
fi
echo "Installing the driver's own Chromium …" >&2
if .venv/bin/python -m playwright install chromium >&2; then
    .venv/bin/python - <<'PY'
from playwright.sync_api import sync_playwright
with sync_playwright() as driver:
    print(driver.chromium.executable_path)
PY
    exit 0
fi
echo "missing: a Chromium — install it with: sudo apt-get install -y chromium fonts-noto-cjk (Debian) or brew install --cask chromium (macOS)" >&2
exit 1
