"""Runs tests of requests and responses over HTTP/1.1, HTTP/2 and HTTP/3.

Tests marked ``http1`` are about HTTP/1 itself and run over HTTP/1.1 only; those marked
``without_tls`` do not run over HTTP/3.
"""

import importlib.util
import subprocess

import pytest
import serving

from bolide import _engine

BOTH = {
    "test_a_call",
    "test_a_waiting",
    "test_b_scope",
    "test_c_body",
    "test_e_head",
    "test_e_order",
    "test_e_wire",
}
"""Modules whose tests run over all protocols."""

HAS_H3 = _engine.has_http3() and importlib.util.find_spec("aioquic") is not None
MORE = ["h2", "h3"] if HAS_H3 else ["h2"]


def pytest_generate_tests(metafunc):
    """Parametrize each test with the protocols that it runs over."""
    both = metafunc.module.__name__.rpartition(".")[2] in BOTH
    is_h1 = metafunc.definition.get_closest_marker("http1") is not None
    spoken = ["h1", *MORE] if both and not is_h1 else ["h1"]
    if metafunc.definition.get_closest_marker("without_tls") is not None:
        spoken = [x for x in spoken if x != "h3"]
    metafunc.parametrize("spoken", spoken, indirect=True, ids=[f"{x}" for x in spoken])


@pytest.fixture(autouse=True)
def spoken(request, monkeypatch):
    """Select the protocol of the test's connections to the server."""
    monkeypatch.setattr(serving, "SPOKEN", request.param)
    if request.param == "h3":
        monkeypatch.setattr(
            serving, "CERTIFICATE", request.getfixturevalue("certificate")
        )
    return request.param


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Settings of a server with a certificate for localhost."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    words += f" -days 2 -subj /CN=localhost -keyout {key} -out {cert}"
    subprocess.run(words.split(), check=True, capture_output=True)
    return {"ssl_certfile": cert, "ssl_keyfile": key}
