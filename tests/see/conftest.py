"""What tests of the ASGI statements and of the command serve and talk with."""

import sys
from pathlib import Path

for folder in ("asgi", "cli", "browser"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
