"""One call after another fails in less common exchanges: the next client is served.

Covers what src/asgi does when a call of CPython, of a library or of the system fails,
for files, many headers, trailers in parts, several waiting Tasks, client certificates,
and WebSockets over TLS, over HTTP/2 and with long compressed messages.
"""

import failing_calls
import failing_more
import failing_runs
import pytest

pytestmark = pytest.mark.skipif(
    not failing_calls.CAN_FAIL,
    reason="no call fails in this build (meson option failing_calls)",
)


@pytest.fixture(scope="module")
def sweeps(request):
    """Start the sweeps of all selected tests; return them by their arguments."""
    with failing_runs.started(request, "failing_more.py") as found:
        yield found


@pytest.mark.parametrize("words", [(x,) for x in failing_more.KINDS], ids="-".join)
def test_a_failing_call_breaks_at_most_one_exchange(sweeps, words):
    assert sweeps[words].result() > 10
