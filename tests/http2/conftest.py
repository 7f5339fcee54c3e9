"""Makes the helpers of tests/asgi available to the tests of HTTP/2."""

import sys
from pathlib import Path

for folder in ("asgi", "cli", "tls"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
