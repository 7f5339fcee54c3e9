"""Makes the helpers of tests/cli available."""

import sys
from pathlib import Path

for folder in ("asgi", "cli", "tls"):
    sys.path.append(str(Path(__file__).parents[1] / folder))
