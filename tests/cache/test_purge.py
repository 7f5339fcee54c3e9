"""The endpoint that removes stored responses, the metrics, the log, and bad settings.

Covers src/cache/purge.c.
"""

import re
from pathlib import Path

import pytest
from cached import App
from command import Command, request, run, talk
from serving import Serving
from test_stored import CACHE, FRESH, target

import bolide
from bolide.errors import ConfigError

HERE = Path(__file__).parent
PURGE = {"cache_purge_path": "/-/cache", "cache_purge_token": "secret", **CACHE}
TOKEN = "Authorization: Bearer secret\r\n"


def test_the_responses_for_a_uri_are_removed():
    app = App()
    with Serving(app, **PURGE) as server:
        for _ in range(2):
            server.ask(FRESH)
            server.ask(target("/b", cc="max-age=60"))
        assert app.calls == 2
        got = server.ask("/-/cache?" + FRESH, TOKEN, method="DELETE")
        assert (got.status, got.body) == (200, b"1 removed\n")
        server.ask(FRESH)
        server.ask(target("/b", cc="max-age=60"))
        assert app.calls == 3
        assert (
            server.ask("/-/cache?/none", TOKEN, method="DELETE").body == b"0 removed\n"
        )


def test_everything_is_removed():
    app = App()
    with Serving(app, **PURGE) as server:
        for name in "abc":
            server.ask(target("/" + name, cc="max-age=60"))
        assert server.ask("/-/cache", TOKEN, method="DELETE").body == b"3 removed\n"
        server.ask(target("/a", cc="max-age=60"))
    assert app.calls == 4


@pytest.mark.parametrize(
    ("fields", "method", "status"),
    [
        ("", "DELETE", 401),
        ("Authorization: Bearer\r\n", "DELETE", 401),
        ("Authorization: Bearer secre\r\n", "DELETE", 401),
        ("Authorization: Bearer secret2\r\n", "DELETE", 401),
        ("Authorization: Basic secret\r\n", "DELETE", 401),
        ("", "GET", 401),
        (TOKEN, "GET", 405),
        (TOKEN, "POST", 405),
        ("authorization: bearer  secret\r\n", "DELETE", 200),
    ],
)
def test_a_purge_needs_the_token_and_delete(fields, method, status):
    app = App()
    with Serving(app, **PURGE) as server:
        got = server.ask("/-/cache", fields, method=method)
        assert got.status == status
        expected = {401: ("www-authenticate", "Bearer"), 405: ("allow", "DELETE")}
        if status in expected:
            name, value = expected[status]
            assert got.field(name) == value
    assert app.calls == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"cache": 1000},
        {"cache": -1},
        {"cache_paths": ["/a"]},
        {"cache_paths": ["a=1"]},
        {"cache_paths": ["/a=x"]},
        {"cache_paths": ["/a=-1"]},
        {"cache_paths": ["/a b=1"]},
        {"cache_paths": ["/a=9999999999"]},
        {"cache_purge_path": "x", "cache_purge_token": "y"},
        {"cache_purge_token": "a b"},
        {"cache_variants": 0},
        {"cache_max_entry": 0},
    ],
)
def test_wrong_settings_are_rejected(settings):
    with pytest.raises(ConfigError, match="cache"):
        bolide.Config(App(), **settings)


def test_the_command_reports_wrong_settings():
    code, _, error = run("apps:hello", "--cache", "1000")
    assert code != 0
    assert "--cache" in error or "cache" in error


def test_the_metrics_count_the_use_of_the_cache():
    app = App()
    with Serving(app, metrics_path="/metrics", **CACHE) as server:
        where = target(cc="max-age=0, stale-if-error=60", etag='"1"')
        for path in (FRESH, FRESH, where, where):
            server.ask(path)
        text = server.ask("/metrics").body.decode()
    found = dict(re.findall(r"^bolide_cache_(\S+) (\S+)$", text, re.M))
    assert found['requests_total{result="hit"}'] == "1"
    assert found['requests_total{result="miss"}'] == "3"
    assert found['requests_total{result="revalidated"}'] == "1"
    assert found["stored_bytes_total"] == "3072"
    assert found["removed_bytes_total"] == "1024"


def test_the_access_log_has_the_cache_status():
    words = ["--port", "0", "--cache", "1048576", "--access-log-format"]
    with Command(
        "cached:app", *words, "is=%(cache_status)s %(U)s", cwd=HERE
    ) as command:
        port = command.port()
        for path in (FRESH, FRESH):
            talk(port, request(path))
        talk(port, request(FRESH, method="POST"))
        talk(port, request("/end"))
        command.out.line_with("/end")
        lines = command.out.text.split()
    assert lines[::2] == ["is=miss", "is=hit", "is=-", "is=miss"]
