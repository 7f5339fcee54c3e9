"""Clients leave nothing allocated; `make leaks` runs the same loads for longer."""

import pytest
from authority import Authority
from keeping import grow
from loads import LOADS

COUNT, SECONDS = 5_000, 60


@pytest.fixture(scope="module")
def cert(tmp_path_factory):
    """A certificate and its key."""
    authority = Authority(tmp_path_factory.mktemp("authority"), "Leaks")
    return authority.issue("localhost", "DNS:localhost")


@pytest.mark.parametrize("name", LOADS)
def test_5000_repetitions_leave_nothing(name, cert):
    growth = grow(name, cert, COUNT, SECONDS)
    assert growth.done > 0
    assert growth.leaks() == []
