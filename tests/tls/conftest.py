"""Certificates for the tests, created once, and the helpers of tests/asgi."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "asgi"))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parents[1] / "http2"))

from authority import Authority


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that no one trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "Strangers")
