"""Makes the helpers of tests/asgi and tests/cli available."""

import sys
from pathlib import Path

for folder in ("asgi", "cli", "browser"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
