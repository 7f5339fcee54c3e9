"""Runs the sweeps of failing calls that a test file selects, several at a time."""

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PATIENCE = int(os.environ.get("PATIENCE", "1"))
AT_ONCE = 8
"""Sweeps that run at once: they mostly wait for servers and clients to time out."""


def sweep(script, *words):
    """Return how many calls have failed, one in each exchange."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), *words],
        capture_output=True,
        text=True,
        timeout=300 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


@contextlib.contextmanager
def started(request, script):
    """Start the sweeps of all selected tests; yield them by their arguments."""
    chosen = [x for x in request.session.items if x.path == request.path]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            words: pool.submit(sweep, script, *words)
            for words in (item.callspec.params["words"] for item in chosen)
        }
