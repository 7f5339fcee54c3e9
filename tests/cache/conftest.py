"""Makes the helpers of other tests available to the tests of the cache."""

import sys
from pathlib import Path

for folder in ("asgi", "cli", "tls", "http2"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
