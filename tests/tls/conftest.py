"""Certificates for the tests, made once, and what tests of ASGI serve with."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "asgi"))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """An authority that clients and servers of the tests trust."""
    return Authority(tmp_path_factory.mktemp("authority"), "Tests")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "Strangers")


@pytest.fixture(scope="session")
def localhost(authority):
    """A certificate for localhost and 127.0.0.1."""
    return authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")
