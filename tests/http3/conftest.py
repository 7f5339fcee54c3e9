"""Makes the helpers of other tests available to the tests of HTTP/3."""

import importlib.util
import sys
from pathlib import Path

from bolide import _engine

for folder in ("asgi", "cli", "tls", "http2"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))

HAS_H3 = _engine.has_http3() and importlib.util.find_spec("aioquic") is not None
collect_ignore_glob = [] if HAS_H3 else ["test_*.py"]
