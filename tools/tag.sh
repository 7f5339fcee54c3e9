#!/bin/sh
# Prints the tag of a Python, as cp313, after which its virtual environment and builds are
# named.  Installs the system's python3 first if that is asked for and missing.
#   tools/tag.sh PYTHON
python=$1
[ "$python" != python3 ] || command -v python3 >/dev/null 2>&1 ||
    tools/setup.sh python3 >&2
"$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])' 2>/dev/null
