"""Makes the helpers of other tests available to the leak tests."""

import sys
from pathlib import Path

for folder in ("asgi", "cli", "http2", "tls"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
