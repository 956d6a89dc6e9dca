#!/usr/bin/env bash
# The same covers through VinylVault, Pillow, sharp and vips, one thread each and in turn, and the
# table of the README on standard output. Installs the others into a folder of its own; vips and
# the photographs come from Debian's packages.
#
#   benches/peers/render.sh [FOLDER]     FOLDER keeps the photographs and tools (default: a new one)
#   ROUNDS=5 benches/peers/render.sh     rounds of all contestants, of which the medians are shown
#   RENDER=path/to/program ...           a built benches/render instead of building it here
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

if ! command -v vipsthumbnail >/dev/null || [ ! -d /usr/share/backgrounds/mate ]; then
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        libvips-tools mate-backgrounds lomiri-wallpapers python3-venv >&2
fi
if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install -q pillow numpy >&2
fi
if [ ! -d "$folder/node_modules/sharp" ]; then
    (cd "$folder" && npm install --silent --no-save --prefix "$folder" sharp >&2)
fi
if [ -z "${RENDER:-}" ]; then
    cargo build --locked --release --bench render >&2
    # The newest of what Cargo left there under that name.
    RENDER=$(find "${CARGO_TARGET_DIR:-target}/release/deps" -name 'render-*' -type f -perm -u+x \
        -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
fi
cp benches/peers/sharp.mjs "$folder/"
exec "$folder/venv/bin/python" benches/peers/render.py "$folder" "$RENDER" "${ROUNDS:-5}"
