"""Starts each Python process of a test run with the sanitizers' libraries, and no
others.

The interpreter is not built with the sanitizers, so their libraries must be loaded
first, by LD_PRELOAD. A browser, a shell or nginx that a test starts must not inherit
that. So SANITIZER_PRELOAD names the libraries. Each interpreter that has this folder on
its PYTHONPATH starts itself again with them, and then removes LD_PRELOAD from its
environment.
"""

import os
import sys

wanted = os.environ.get("SANITIZER_PRELOAD")
if wanted and os.environ.pop("LD_PRELOAD", None) != wanted:
    os.environ["LD_PRELOAD"] = wanted
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
