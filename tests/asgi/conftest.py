"""Suites about requests and answers are played over HTTP/1.1 and over HTTP/2.

A test marked ``http1`` is about HTTP/1 itself.
"""

import pytest
import serving

BOTH = {
    "test_a_call",
    "test_a_waiting",
    "test_b_scope",
    "test_c_body",
    "test_e_head",
    "test_e_order",
    "test_e_wire",
}
"""Modules whose tests are played over both."""


def pytest_generate_tests(metafunc):
    """Give each test the protocols that it is played over."""
    both = metafunc.module.__name__.rpartition(".")[2] in BOTH
    is_h1 = metafunc.definition.get_closest_marker("http1") is not None
    spoken = ["h1", "h2"] if both and not is_h1 else ["h1"]
    metafunc.parametrize("spoken", spoken, indirect=True, ids=[f"{x}" for x in spoken])


@pytest.fixture(autouse=True)
def spoken(request, monkeypatch):
    """Have connections of tests speak HTTP/2 to the server where the test says so."""
    monkeypatch.setattr(serving, "SPOKEN", request.param)
    return request.param
