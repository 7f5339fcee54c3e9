"""Serves each example in its own process, which all tests of a file share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "asgi"))

from examples import Served, serving


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def served(request):
    """Serve the TARGET of the test's module with each loop."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    with serving(request.module.TARGET, "--loop", request.param) as command:
        yield Served(command)


@pytest.fixture(scope="module")
def client(served):
    """Yield an httpx client of ``served``."""
    with served.client() as client:
        yield client
