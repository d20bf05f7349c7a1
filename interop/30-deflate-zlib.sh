#!/usr/bin/env bash
# Our deflate codecs and zlib as Python ships it: whatever one writes the other reads.
set -euo pipefail
exec "$(dirname "$0")/deflate_zlib.py" "$@"
