"""view.py, in its own environment: it needs old releases of packages.

``VIEW_PYTHON`` names the interpreter of that environment, of the version that runs the
tests; examples/view_app.py has the command that installs it.
"""

import os
import subprocess
import sys

import httpx
import pytest

from examples import DEADLINE_S, EXAMPLES, Served, serving

PYTHON = os.environ.get("VIEW_PYTHON", sys.executable)


@pytest.fixture(scope="module")
def view():
    """Serve the example with the interpreter that has view.py."""
    if subprocess.run([PYTHON, "-c", "import view"], capture_output=True).returncode:
        pytest.skip("view.py is not installed; see VIEW_PYTHON")
    with serving("view_app:make", "--factory", python=PYTHON) as command:
        yield Served(command)


def test_a_route_answers(view):
    answer = httpx.get(view.url, timeout=DEADLINE_S)
    assert (answer.status_code, answer.text) == (200, "Hello, view.py!")
    assert answer.headers["server"] == "bolide"


def test_a_route_answers_with_a_status(view):
    answer = httpx.get(view.url + "/teapot", timeout=DEADLINE_S)
    assert (answer.status_code, answer.text) == (418, "short and stout")


def test_a_missing_path_is_404(view):
    assert httpx.get(view.url + "/nothing", timeout=DEADLINE_S).status_code == 404


def test_head_works_and_connections_are_kept(view):
    with view.client() as client:
        assert [client.get("/").status_code for _ in range(3)] == [200] * 3


def test_it_stops_gracefully(view):
    out, err = view.stop()
    assert "Traceback" not in out + err


def test_the_example_documents_its_command():
    text = (EXAMPLES / "view_app.py").read_text(encoding="utf-8")
    assert "bolide --factory view_app:make" in text
