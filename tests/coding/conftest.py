"""Makes the helpers of other tests available to the tests of codings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "asgi"))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tls"))
