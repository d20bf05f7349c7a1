#!/usr/bin/env bash
# Tests our deflate codecs with Python's zlib: each reads what the other writes.
set -euo pipefail
exec "$(dirname "$0")/deflate_zlib.py" "$@"
