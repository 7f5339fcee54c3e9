"""Certificates for all suites that use TLS, created once; signals as in a shell."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "tls"))
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""Programs that nohup starts ignore it, and so would the servers of the tests."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """An authority that clients and servers of the tests trust."""
    from authority import Authority

    return Authority(tmp_path_factory.mktemp("authority"), "Tests")


@pytest.fixture(scope="session")
def localhost(authority):
    """A certificate for localhost and 127.0.0.1."""
    return authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")
