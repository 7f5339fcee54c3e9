"""One call after another fails: the client gets a response or an end, and the next is
served.

Covers what the engine does when a call of CPython, of a library or of the system fails.
"""

import failing_calls
import failing_runs
import pytest

pytestmark = pytest.mark.skipif(
    not failing_calls.CAN_FAIL,
    reason="no call fails in this build (meson option failing_calls)",
)


KINDS = [(kind,) for kind in (*failing_calls.KINDS, "functions", "module")]
ERRORS = [("stream", "EINTR"), ("tls", "EINTR"), ("h2-post", "ECONNRESET")]


@pytest.fixture(scope="module")
def sweeps(request):
    """Start the sweeps of all selected tests; return them by their arguments."""
    with failing_runs.started(request, "failing_calls.py") as found:
        yield found


@pytest.mark.parametrize("words", KINDS, ids="-".join)
def test_a_failing_call_breaks_at_most_one_exchange(sweeps, words):
    assert sweeps[words].result() > 10


@pytest.mark.parametrize("words", ERRORS, ids="-".join)
def test_a_system_call_may_be_interrupted_or_report_a_reset(sweeps, words):
    assert sweeps[words].result() > 10
