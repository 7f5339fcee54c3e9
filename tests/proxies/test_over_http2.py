"""What proxies report about clients over HTTP/2, with curl in the role of the proxy."""

import shutil
import subprocess

import pytest
from serving import DEADLINE_S, Serving, answer

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")


def ask(*fields, how="--http2-prior-knowledge", **settings):
    """Return curl's output with the response and its head, and the scopes."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Serving(app, **settings) as serving:
        url = f"http://127.0.0.1:{serving.place[1]}/a"
        words = ["curl", "-sSi", how, "--noproxy", "*", url]
        for field in fields:
            words += ["-H", field]
        done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout, scopes


@pytest.mark.parametrize("how", ["--http2-prior-knowledge", "--http2"])
def test_client_scheme_and_id_are_known(how):
    fields = ["X-Forwarded-For: 6.6.6.6, 203.0.113.7", "X-Forwarded-Proto: https"]
    fields += ["X-Forwarded-Host: b:81", "X-Forwarded-Prefix: /v1"]
    got, (scope,) = ask(
        *fields,
        how=how,
        request_id=True,
        h2c_upgrade=True,
        forwarded_fields="for,proto,host,prefix",
    )
    assert scope["http_version"] == "2"
    assert (scope["client"], scope["scheme"]) == (("203.0.113.7", 0), "https")
    assert (scope["root_path"], scope["path"]) == ("/v1", "/v1/a")
    headers = dict(scope["headers"])
    assert headers[b"host"] == b"b:81"
    assert f"x-request-id: {headers[b'x-request-id'].decode()}" in got


def test_an_untrusted_client_changes_nothing():
    fields = ["X-Forwarded-For: 6.6.6.6;", "X-Forwarded-Proto: https"]
    _, (scope,) = ask(*fields, forwarded_allow_ips="10.0.0.1")
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")
    assert not [n for n, _ in scope["headers"] if n.startswith(b"x-forwarded")]


@pytest.mark.parametrize("how", ["--http2-prior-knowledge", "--http2"])
def test_a_malformed_field_is_ignored(how):
    got, (scope,) = ask(
        "X-Forwarded-For: 203.0.113.7, junk",
        "X-Forwarded-Proto: asdf",
        how=how,
        h2c_upgrade=True,
    )
    assert got.startswith("HTTP/") and " 200" in got
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")
