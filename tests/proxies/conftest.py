"""What tests of ASGI and of the command serve with, for the tests behind proxies."""

import sys
from pathlib import Path

for folder in ("asgi", "cli", "tls"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
