#!/usr/bin/env bash
# Instructions that one 600 x 600 cover takes from original bytes to both renditions, counted by
# valgrind in the release profile: the same on a busy machine as on an idle one. Fails when they are
# more than 5 % over the figure below; prints the figure to commit when they are that much fewer.
#
#   benches/callgrind.sh              after `cargo build --release` one more link, about a minute
#   RENDER=path/to/program ...        a built benches/render instead of building it here
#
# The figure counts AVX2, the widest that valgrind knows and what decoding and shrinking choose on a
# processor that has it; on any other there is nothing to compare with, and the check is skipped.
# It is of rustc 1.95 and gcc 12.2: another compiler may need another figure, with its reason in the
# commit.
set -euo pipefail
cd "$(dirname "$0")/.."

instructions_per_cover=172581182
percent_over_max=5

if [ "$(uname -m)" != x86_64 ] || ! grep -qw avx2 /proc/cpuinfo; then
    echo "skipped: other SIMD level, the committed figure is of x86-64 with AVX2"
    exit 0
fi
if ! command -v valgrind >/dev/null; then
    as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }
    as_root apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends valgrind >&2
fi
if [ -z "${RENDER:-}" ]; then
    # Of the programs that Cargo names, vinylvault itself being one, the bench.
    RENDER=$(cargo build --locked --release --bench render --message-format=json-render-diagnostics |
        sed -n 's|.*"executable":"\([^"]*/deps/render-[^"/]*\)".*|\1|p')
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$RENDER" --instructions "$1" >"$log" 2>&1 ||
        { cat "$log" >&2; return 1; }
    awk '/Collected/ { print $NF }' "$log"
}

# What the second and third cover add: without the start and without drawing the original.
once=$(count 1)
thrice=$(count 3)
found=$(((thrice - once) / 2))
most=$((instructions_per_cover * (100 + percent_over_max) / 100))
echo "instructions per cover: $found of at most $most ($instructions_per_cover committed)"
if [ "$found" -gt "$most" ]; then
    echo "a cover takes more than $percent_over_max % more instructions than the committed figure" >&2
    exit 1
fi
if [ "$found" -lt $((instructions_per_cover * (100 - percent_over_max) / 100)) ]; then
    echo "it takes clearly fewer: commit $found as the new figure"
fi
