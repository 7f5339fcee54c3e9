"""Group B over HTTP/2: how pseudo-header fields appear in the scope."""

import pytest
from serving import Serving, answer
from talking_h2 import head, talk


def scope_of(fields, **settings):
    """Return the scope that the application gets for a request."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Serving(app, **settings) as serving, talk(serving) as client:
        assert client.finish(client.ask(fields)).status == 200
    (scope,) = scopes
    return scope


def test_B18_the_version_is_2():
    assert scope_of(head())["http_version"] == "2"


def test_B33_the_authority_is_the_first_field_as_host():
    fields = [*head("/x?y=z"), ("x-a", "1"), ("host", "a"), ("x-b", "2")]
    scope = scope_of(fields)
    assert [tuple(field) for field in scope["headers"]] == [
        (b"host", b"a"),
        (b"x-a", b"1"),
        (b"x-b", b"2"),
    ]
    assert (scope["path"], scope["raw_path"]) == ("/x", b"/x")
    assert (scope["query_string"], scope["method"]) == (b"y=z", "GET")
    assert not any(name.startswith(b":") for name, _ in scope["headers"])


def test_B33_host_replaces_a_missing_authority():
    fields = [f for f in head() if f[0] != ":authority"]
    scope = scope_of([*fields, ("x-a", "1"), ("host", "b")])
    assert [tuple(f) for f in scope["headers"]] == [(b"host", b"b"), (b"x-a", b"1")]


@pytest.mark.parametrize("host", ["A", "a:80", "A:80", "a:"])
def test_B33_host_is_compared_with_authority_after_normalization(host):
    """RFC 9113 8.3.1, RFC 9110 4.2.3."""
    scope = scope_of([*head(), ("host", host)])
    assert [tuple(f) for f in scope["headers"]] == [(b"host", b"a")]


@pytest.mark.parametrize("host", ["b", "a:443", "a:8080"])
def test_B33_a_host_that_differs_from_authority_is_400(host):
    async def app(scope, receive, send):
        raise AssertionError

    with Serving(app) as serving, talk(serving) as client:
        stream = client.finish(client.ask([*head(), ("host", host)]))
        assert stream.status == 400
        assert b"names another host than :authority" in stream.body


def test_cookie_fields_are_joined():
    crumbs = [("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"), ("cookie", "c=3")]
    scope = scope_of([*head(), *crumbs])
    assert [tuple(field) for field in scope["headers"]] == [
        (b"host", b"a"),
        (b"cookie", b"a=1; b=2; c=3"),
        (b"x-a", b"1"),
    ]


@pytest.mark.parametrize("path", ["/caf%C3%A9?q", "//a/../b", "*"])
def test_a_path_is_the_same_as_over_http_1(path):
    method = "OPTIONS" if path == "*" else "GET"
    scope = scope_of(head(path, method))
    assert scope["raw_path"] == path.partition("?")[0].encode()
    assert scope["path"] == {"/caf%C3%A9?q": "/café"}.get(path, path)
