"""HTTP/2 frames of the attacks, in addition to those of tests/http2."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "http2"))

from rawframes import *  # noqa: F403

BARE = bytes.fromhex("828684010161")
"""GET http://a/, without changing the dynamic table."""

POST = bytes.fromhex("838604072f75706c6f6164410161")
"""POST http://a/upload."""


def get_of(path):
    """Return the block of a GET of a path."""
    return b"\x82\x86\x04" + bytes([len(path)]) + path.encode() + b"\x01\x01a"
