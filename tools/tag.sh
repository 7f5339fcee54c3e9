#!/bin/sh
# Prints the tag of a Python, such as cp313, which names its virtual environment and builds.
# Installs the system's python3 first if it is requested and missing.
#   tools/tag.sh PYTHON
python=$1
[ "$python" != python3 ] || command -v python3 >/dev/null 2>&1 ||
    tools/setup.sh python3 >&2
"$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])' 2>/dev/null
