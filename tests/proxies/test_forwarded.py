"""What proxies report about clients: which are trusted, for what, and malformed fields.

Covers src/http/hops.c.
"""

import socket

import pytest
from serving import Serving, answer, request, scope_of
from socketing import Peer, handshake

HOST, CLOSE = "Host: a\r\n", "Connection: close\r\n"
NOBODY = {"forwarded_allow_ips": "10.0.0.0/8"}
"""The tests' own address does not belong to a proxy."""


def get(fields, **settings):
    """Return the scope of a GET with ``fields``, which are complete lines."""
    return scope_of(request("/a", HOST + fields + CLOSE), **settings)


def headers_of(scope, name):
    """Return the values of all fields with that name."""
    return [value.decode() for key, value in scope["headers"] if key == name.encode()]


# The client


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        ("X-Forwarded-For: 203.0.113.7\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7:4711\r\n", ("203.0.113.7", 4711)),
        ("X-Forwarded-For: 2001:DB8::7\r\n", ("2001:db8::7", 0)),
        ("X-Forwarded-For: [2001:db8::7]:4711\r\n", ("2001:db8::7", 4711)),
        ("X-Forwarded-For: ::ffff:203.0.113.7\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7, 127.0.0.1\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 6.6.6.6,203.0.113.7,::1, 127.0.0.1\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 127.0.0.1, ::1\r\n", ("127.0.0.1", 0)),
        ("X-Forwarded-For: , 203.0.113.7,,\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\n",
         ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 127.0.0.1\r\n",
         ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7, unknown\r\n", None),
        ("X-Forwarded-For: junk, 203.0.113.7\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: <script>\r\nX-Forwarded-For: 203.0.113.7\r\n",
         ("203.0.113.7", 0)),
        ("X-Forwarded-For: junk, 203.0.113.7, ::1\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7, junk, ::1, 127.0.0.1\r\n", ("::1", 0)),
        ("X-Forwarded-For: 203.0.113.7:notaport\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7:_port\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7:65536\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: 203.0.113.7:\r\n", ("203.0.113.7", 0)),
        ("X-Forwarded-For: [2001:db8::7]:x\r\n", ("2001:db8::7", 0)),
        ("X-Forwarded-For: fe80::1%eth0\r\n", ("fe80::1", 0)),
        ("X-Forwarded-For: [fe80::1%25eth0]:80\r\n", ("fe80::1", 80)),
        ("X-Forwarded-For: ::1%lo, ::1%lo\r\n", ("::1", 0)),
        ("X-Forwarded-For: unix:\r\n", None),
    ],
)  # fmt: skip
def test_the_client_is_the_last_hop_that_is_not_a_proxy(fields, client):
    assert get(fields)["client"] == client


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Real-IP", "Forwarded"])
def test_no_other_field_names_the_client(name):
    value = "for=6.6.6.6" if name == "Forwarded" else "6.6.6.6"
    assert get(f"{name}: {value}\r\n")["client"][0] == "127.0.0.1"


def test_an_untrusted_peer_changes_nothing():
    fields = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
    scope = get(fields + "X-Forwarded-For: junk;\r\n", **NOBODY)
    assert scope["client"][0] == "127.0.0.1"
    assert scope["scheme"] == "http"


def test_fields_of_untrusted_peers_are_removed_if_proxies_are_named():
    fields = "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Other: a\r\n"
    lookalike = "X_Forwarded_For: 6.6.6.6\r\nX_Forwarded-Proto: https\r\n"
    names = [key for key, _ in get(fields + lookalike, **NOBODY)["headers"]]
    assert names == [b"host", b"x-other", b"connection"]
    names = [key for key, _ in get(fields + lookalike)["headers"]]
    assert b"x-forwarded-for" in names and b"x_forwarded_for" in names
    believed = get(fields + lookalike, forwarded_allow_ips="127.0.0.1")
    names = [key for key, _ in believed["headers"]]
    assert names == [b"host", b"x-forwarded-for", b"forwarded", b"x-other",
                     b"connection"]  # fmt: skip


def test_star_trusts_every_peer_and_no_hop():
    scope = get("X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\n", forwarded_allow_ips="*")
    assert scope["client"] == ("203.0.113.7", 0)


def test_a_network_is_trusted():
    scope = get("X-Forwarded-For: 203.0.113.7\r\n", forwarded_allow_ips="127.0.0.0/8")
    assert scope["client"] == ("203.0.113.7", 0)


def test_without_proxy_headers_no_peer_is_trusted():
    fields = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"
    scope = get(fields, proxy_headers=False)
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")


def test_each_request_of_a_connection_has_its_own_client():
    clients = []

    async def app(scope, receive, send):
        clients.append(scope["client"])
        await answer(send)

    with Serving(app) as serving, serving.connect() as sock:
        for last in (1, 1, 2, 1):
            fields = f"X-Forwarded-For: 203.0.113.{last}\r\n"
            sock.sendall(request("/", fields + (CLOSE if len(clients) == 3 else "")))
            sock.recv(65536)
    assert [x[0] for x in clients] == [f"203.0.113.{n}" for n in (1, 1, 2, 1)]
    assert clients[0][0] is clients[1][0]  # the text is kept


def test_connections_from_one_address_share_its_text():
    clients = []

    async def app(scope, receive, send):
        clients.append(scope["client"])
        await answer(send)

    with Serving(app) as serving:
        for _ in range(2):
            with serving.connect() as sock:
                sock.sendall(request("/", CLOSE))
                sock.recv(65536)
    assert clients[0][0] is clients[1][0]
    assert clients[0][1] != clients[1][1]


class OverSocket(Serving):
    """Serves on a Unix socket."""

    def __init__(self, app, path, **settings):
        self.path = str(path)
        super().__init__(app, **settings)

    def listen(self):
        """Return the socket to listen on."""
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(self.path)
        sock.listen()
        return sock


@pytest.mark.parametrize(
    ("trusted", "client"),
    [
        (None, None),
        ("127.0.0.1", None),
        ("unix", ("203.0.113.7", 0)),
        ("*", ("203.0.113.7", 0)),
    ],
)
def test_peers_over_unix_sockets_are_trusted_if_configured(trusted, client, tmp_path):
    clients = []

    async def app(scope, receive, send):
        clients.append(scope["client"])
        await answer(send)

    sent = request("/", "Host: a\r\nX-Forwarded-For: 203.0.113.7\r\n" + CLOSE)
    with OverSocket(app, tmp_path / "a", forwarded_allow_ips=trusted) as serving:
        assert serving.talk(sent).startswith(b"HTTP/1.1 200 ")
    assert clients == [client]


# Scheme, host, prefix


@pytest.mark.parametrize(
    ("fields", "scheme"),
    [
        ("X-Forwarded-Proto: https\r\n", "https"),
        ("X-Forwarded-Proto: HTTPS\r\n", "https"),
        ("X-Forwarded-Proto: wss\r\n", "https"),
        ("X-Forwarded-Proto: http\r\n", "http"),
        ("X-Forwarded-Proto: https, http\r\n", "http"),
        ("X-Forwarded-Proto: asdf\r\n", "http"),
        ("X-Forwarded-Proto: asdf, https\r\n", "https"),
        ("X-Forwarded-For: junk, 203.0.113.7, ::1\r\n"
         "X-Forwarded-Proto: asdf, https, http\r\n", "https"),
        ("X-Forwarded-For: 203.0.113.7, ::1\r\nX-Forwarded-Proto: https, http\r\n",
         "https"),
        ("X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https, http\r\n",
         "http"),
    ],
)  # fmt: skip
def test_the_scheme_is_that_of_the_client(fields, scheme):
    assert get(fields)["scheme"] == scheme


ALL = {"forwarded_fields": "for,proto,host,port,prefix"}


@pytest.mark.parametrize(
    ("fields", "host", "server"),
    [
        ("X-Forwarded-Host: b.example\r\n", "b.example", ("b.example", 80)),
        ("X-Forwarded-Host: b.example:81\r\n", "b.example:81", ("b.example", 81)),
        ("X-Forwarded-Host: [::1]:81\r\n", "[::1]:81", ("::1", 81)),
        ("X-Forwarded-Port: 81\r\n", "a:81", ("a", 81)),
        ("X-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\n", "a", ("a", 443)),
        ("X-Forwarded-Host: b.example:81\r\nX-Forwarded-Port: 82\r\n",
         "b.example:82", ("b.example", 82)),
    ],
)  # fmt: skip
def test_the_host_is_that_of_the_proxy_if_enabled(fields, host, server):
    scope = get(fields, **ALL)
    assert headers_of(scope, "host") == [host]
    assert scope["server"] == server
    scope = get(fields)
    assert headers_of(scope, "host") == ["a"]
    assert scope["server"][0] == "127.0.0.1"


def test_a_request_without_a_host_gets_that_of_the_proxy():
    scope = scope_of(b"GET / HTTP/1.0\r\nX-Forwarded-Host: b\r\n\r\n", **ALL)
    assert headers_of(scope, "host") == ["b"]


def test_the_prefix_is_the_root_path_if_enabled():
    scope = get("X-Forwarded-Prefix: /api/v1/\r\n", **ALL, root_path="/other")
    assert (scope["root_path"], scope["path"]) == ("/api/v1", "/api/v1/a")
    assert scope["raw_path"] == b"/a"
    scope = get("", **ALL, root_path="/other")
    assert (scope["root_path"], scope["path"]) == ("/other", "/other/a")
    scope = get("X-Forwarded-Prefix: /api\r\n", root_path="/other")
    assert scope["root_path"] == "/other"


# Forwarded


STANDARD = {"forwarded_fields": "forwarded,host"}


@pytest.mark.parametrize(
    ("value", "client", "scheme", "host"),
    [
        ("for=203.0.113.7", ("203.0.113.7", 0), "http", "a"),
        ('For="[2001:db8::7]:4711";PROTO=https;Host="b:8"',
         ("2001:db8::7", 4711), "https", "b:8"),
        ("for=6.6.6.6;proto=https, for=203.0.113.7", ("203.0.113.7", 0), "http", "a"),
        ("for=203.0.113.7;proto=https, for=127.0.0.1;proto=http",
         ("203.0.113.7", 0), "https", "a"),
        ('for="203.0.113.7:4711" ; by=_x; ext="a,\\"b;c"', ("203.0.113.7", 4711),
         "http", "a"),
        ("for=203.0.113.7,for=_hidden", None, "http", "a"),
        ("junk, for=203.0.113.7;proto=https", ("203.0.113.7", 0), "https", "a"),
        ("for=junk, for=203.0.113.7, for=127.0.0.1", ("203.0.113.7", 0), "http", "a"),
        ('for="6.6.6.6, for=203.0.113.7', ("203.0.113.7", 0), "http", "a"),
        ('for="6.6.6.6, for="203.0.113.7:1"', ("203.0.113.7", 1), "http", "a"),
        ('a="\\", for=203.0.113.7;b="c,d"', ("203.0.113.7", 0), "http", "a"),
        ("for=203.0.113.7;proto=gopher", ("203.0.113.7", 0), "http", "a"),
        ('for=203.0.113.7;host="b/c"', ("203.0.113.7", 0), "http", "a"),
        ('for="203.0.113.7:_port"', ("203.0.113.7", 0), "http", "a"),
        ('for="[fe80::1%eth0]:80"', ("fe80::1", 80), "http", "a"),
        ("for=junk;proto=https, for=127.0.0.1", ("127.0.0.1", 0), "http", "a"),
        (",,for=203.0.113.7;;", ("203.0.113.7", 0), "http", "a"),
    ],
)  # fmt: skip
def test_forwarded_is_read_if_enabled(value, client, scheme, host):
    scope = get(f"Forwarded: {value}\r\nX-Forwarded-For: 6.6.6.6\r\n", **STANDARD)
    assert (scope["client"], scope["scheme"]) == (client, scheme)
    assert headers_of(scope, "host") == [host]


def test_an_element_without_an_address_does_not_name_the_client():
    scope = get("Forwarded: proto=https\r\n", **STANDARD)
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "https")


def test_several_lines_of_forwarded_are_one_list():
    fields = "Forwarded: for=203.0.113.7\r\nForwarded: for=127.0.0.1\r\n"
    assert get(fields, **STANDARD)["client"] == ("203.0.113.7", 0)


# What is malformed


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-For: junk",
        "X-Forwarded-For: 203.0.113.7 1.2.3.4",
        "X-Forwarded-For: 203.0.113.7, junk",
        "X-Forwarded-For: 203.0.113.256",
        "X-Forwarded-For: 203.0.113.07",
        "X-Forwarded-For: [2001:db8::7",
        "X-Forwarded-For: [2001:db8::7]4711",
        "X-Forwarded-For: []",
        "X-Forwarded-For: %eth0",
        "X-Forwarded-For: :",
        "X-Forwarded-For: <script>",
        "X-Forwarded-For: \xe9",
        'X-Forwarded-For: "203.0.113.7"',
        "X-Forwarded-Proto: gopher",
        "X-Forwarded-Proto: http s",
        "X-Forwarded-Host: b/c",
        "X-Forwarded-Host: user@b",
        "X-Forwarded-Host: b:99999",
        "X-Forwarded-Port: 0",
        "X-Forwarded-Port: 65536",
        "X-Forwarded-Port: 8o",
        "X-Forwarded-Prefix: api",
        "X-Forwarded-Prefix: //evil.example",
        "X-Forwarded-Prefix: /a//b",
        "X-Forwarded-Prefix: /a/../b",
        "X-Forwarded-Prefix: /..",
        "X-Forwarded-Prefix: /%2e%2e",
        "X-Forwarded-Prefix: /a?b",
        "X-Forwarded-Prefix: /a\\b",
        "X-Forwarded-Prefix: /a\r\nX-Forwarded-Prefix: b",
    ],
)
def test_a_malformed_field_is_ignored(field):
    """A proxy that appends to a field, or passes it on, lets its clients write it."""
    scope, plain = get(field + "\r\n", **ALL), get("", **ALL)
    for key in ("scheme", "root_path", "path"):
        assert scope[key] == plain[key]
    assert scope["client"][0] == "127.0.0.1"
    assert headers_of(scope, "host") == ["a"]


@pytest.mark.parametrize(
    "value",
    [
        "for",
        "for=",
        "for=junk",
        "for=2001:db8::7",
        "for=[2001:db8::7]",
        'for="2001:db8::7"',
        'for="203.0.113.7',
        "for=203.0.113.7;for=203.0.113.7",
        "for=203.0.113.7 proto=https",
        "for = 203.0.113.7",
        'for="203.0.113\\.7"',
        'host="b/c"',
        "=b",
        "for=203.0.113.7;=",
        '"for"=203.0.113.7',
        "203.0.113.7",
        '"',
        ',"',
        'for="6.6.6.6, for="203.0.113.7',
    ],
)
def test_a_malformed_forwarded_is_ignored(value):
    scope = get(f"Forwarded: {value}\r\n", **STANDARD)
    assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")
    assert headers_of(scope, "host") == ["a"]


def test_the_prefix_of_the_nearest_proxy_is_used():
    fields = "X-Forwarded-Prefix: /theirs\r\nX-Forwarded-Prefix: /ours\r\n"
    assert get(fields, **ALL)["root_path"] == "/ours"
    fields = "X-Forwarded-Prefix: //evil\r\nX-Forwarded-Prefix: /ours\r\n"
    assert get(fields, **ALL)["root_path"] == "/ours"


# WebSocket


def test_a_websocket_has_the_client_and_the_scheme_too():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await receive()
        await send({"type": "websocket.close"})

    fields = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"
    with Serving(app) as serving, serving.connect() as sock:
        assert Peer(sock, handshake(fields=fields)).status == 403
    assert scopes[0]["client"] == ("203.0.113.7", 0)
    assert scopes[0]["scheme"] == "wss"
