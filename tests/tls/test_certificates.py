"""Which certificate is sent, what is required of clients, and what is reloaded.

Covers src/asgi/scope_tls.c, src/py/tls.c, src/tls/config.c, src/tls/context.c,
src/tls/identity.c, src/tls/info.c and src/tls/trust.c.
"""

import os
import shutil
import ssl

import pytest
from authority import Pair, openssl
from serving import answer, read_answer, request
from talking import Secure, client_context, hello, scope_over_tls

import bolide
from bolide.config import tls
from bolide.errors import ConfigError


def shown_to(serving, authority, name):
    """Return the common name in the certificate sent to a client that asks for
    ``name``.
    """
    context = client_context(authority, check_hostname=False)
    with serving.open(context, name) as sock:
        subject = dict(x[0] for x in sock.getpeercert()["subject"])
        return subject["commonName"]


def test_the_server_name_selects_the_certificate(authority, localhost):
    exact = authority.issue("exact", "DNS:a.example")
    wild = authority.issue("wild", "DNS:*.example", kind="rsa")
    pairs = [localhost, exact, wild]
    settings = {
        "ssl_certfile": [str(x.cert) for x in pairs],
        "ssl_keyfile": [str(x.key) for x in pairs],
    }
    table = {
        "a.example": "exact",
        "b.example": "wild",
        "c.b.example": "localhost",
        "localhost": "localhost",
        "other.test": "localhost",
    }
    with Secure(hello, Pair("", ""), **settings) as serving:
        shown = {name: shown_to(serving, authority, name) for name in table}
    assert shown == table


def test_G29_tls_without_a_client_certificate(authority, localhost):
    scope = scope_over_tls(authority, localhost)
    tls = scope["extensions"]["tls"]
    assert scope["scheme"] == "https"
    assert tls["server_cert"].strip() == localhost.cert.read_text().strip()
    assert tls["tls_version"] == 0x0304
    assert 0x1301 <= tls["cipher_suite"] <= 0x1303
    assert tls["client_cert_chain"] == ()
    assert tls["client_cert_name"] is None
    assert tls["client_cert_error"] is None


def test_G29_a_websocket_has_the_tls_extension_too(authority, localhost):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await receive()
        await send({"type": "websocket.close"})

    fields = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    )
    fields += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    with (
        Secure(app, localhost) as serving,
        serving.open(client_context(authority)) as sock,
    ):
        sock.sendall(request(fields=fields))
        assert read_answer(sock).status == 403
    (scope,) = scopes
    assert (scope["type"], scope["scheme"]) == ("websocket", "wss")
    assert scope["extensions"]["tls"]["tls_version"] == 0x0304


def test_G29_version_and_cipher_suite_are_numbers(authority, localhost):
    old = ssl.TLSVersion.TLSv1_2
    attributes = {"minimum_version": old, "maximum_version": old}
    scope = scope_over_tls(authority, localhost, **attributes)
    assert scope["extensions"]["tls"]["tls_version"] == 0x0303
    assert scope["extensions"]["tls"]["cipher_suite"] == 0xC02B


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("/C=AT/O=Österreich/CN=a b", "CN=a b,O=Österreich,C=AT"),
        ("/O= x;y/CN=#1", r"CN=\#1,O=\ x\;y"),
        ('/O=a"b<c>d/CN=x\\+y', r"CN=x\+y,O=a\"b\<c\>d"),
        ("/DC=org/DC=example/UID=u", "UID=u,DC=example,DC=org"),
        ("/OU=1+CN=2", "OU=1+CN=2"),
    ],
)
def test_G29_a_name_is_formatted_by_rfc_4514(authority, localhost, subject, name):
    client = authority.issue(subject)
    settings = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(authority.cert)}
    tls = scope_over_tls(authority, localhost, client, settings)["extensions"]["tls"]
    assert tls["client_cert_name"] == name


def test_G29_the_chain_has_the_certificates_of_the_client(
    authority, localhost, tmp_path
):
    between = authority.issue_authority("Between", tmp_path)
    client = between.issue("client")
    chain = tmp_path / "chain.pem"
    chain.write_text(client.cert.read_text() + between.cert.read_text())
    settings = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(authority.cert)}
    shown = Pair(chain, client.key)
    tls = scope_over_tls(authority, localhost, shown, settings)["extensions"]["tls"]
    sent = [x.read_text().strip() for x in (client.cert, between.cert)]
    assert [x.strip() for x in tls["client_cert_chain"]] == sent


def test_G29_a_resumed_session_keeps_the_client_certificate(authority, localhost):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    context = client_context(authority, authority.issue("client"))
    settings = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(authority.cert)}
    with Secure(app, localhost, **settings) as serving:
        session = None
        for is_resumed in (False, True):
            with serving.open(context, session=session) as sock:
                sock.sendall(request())
                read_answer(sock)
                assert sock.session_reused == is_resumed
                session = sock.session
    first, second = (scope["extensions"]["tls"] for scope in scopes)
    assert second["client_cert_name"] == first["client_cert_name"] == "CN=client"
    assert second["client_cert_chain"] == first["client_cert_chain"][:1]


@pytest.mark.parametrize("wanted", ["optional", "required"])
def test_G29_tls_with_a_client_certificate(authority, localhost, wanted):
    client = authority.issue("/O=A, B/CN=client")
    settings = {"ssl_cert_reqs": wanted, "ssl_ca_certs": str(authority.cert)}
    tls = scope_over_tls(authority, localhost, client, settings)["extensions"]["tls"]
    assert tls["client_cert_chain"][0].strip() == client.cert.read_text().strip()
    assert tls["client_cert_name"] == r"CN=client,O=A\, B"


def is_served(authority, localhost, client, settings):
    """Return whether a client with the certificate ``client`` gets a response."""
    with Secure(hello, localhost, **settings) as serving:
        try:
            return serving.get(client_context(authority, client)).body == b"hello"
        except (ssl.SSLError, ConnectionResetError):
            return False


def test_clients_are_accepted_by_their_certificates(authority, stranger, localhost):
    known, unknown = authority.issue("known"), stranger.issue("unknown")
    settings = {"ssl_ca_certs": str(authority.cert)}
    table = {
        ("required", known): True,
        ("required", unknown): False,
        ("required", None): False,
        ("optional", unknown): False,
        ("optional", None): True,
        ("none", None): True,
    }
    served = {
        (wanted, client): is_served(
            authority, localhost, client, {"ssl_cert_reqs": wanted, **settings}
        )
        for wanted, client in table
    }
    assert served == table


def test_authorities_can_be_in_a_folder(authority, stranger, localhost, tmp_path):
    for number, one in enumerate((authority, stranger)):
        shutil.copy(one.cert, tmp_path / f"{number}.pem")
    openssl("rehash", tmp_path)
    # What is no file is ignored, and nothing waits for the writer of a FIFO.
    (tmp_path / "more").mkdir()
    os.mkfifo(tmp_path / "pipe")
    settings = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(tmp_path)}
    assert is_served(authority, localhost, authority.issue("a"), settings)
    assert is_served(authority, localhost, stranger.issue("b"), settings)
    assert not is_served(authority, localhost, None, settings)


def test_system_authorities_are_located_when_the_server_starts(
    authority, stranger, localhost, monkeypatch
):
    settings = {"ssl_cert_reqs": "required", "ssl_ca_certs": "system"}
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert))
    assert is_served(authority, localhost, authority.issue("a"), settings)
    assert not is_served(authority, localhost, stranger.issue("b"), settings)


def test_system_authorities_are_the_first_file_that_exists(
    authority, localhost, monkeypatch, tmp_path
):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    places = (str(tmp_path / "none"), str(authority.cert), str(localhost.cert))
    monkeypatch.setattr(tls, "SYSTEM_CA", places)
    settings = {"cert_reqs": "required", "ca_certs": "system"}
    found = tls.check(certfile=str(localhost.cert), **settings)
    assert found.ca == bytes(authority.cert)
    monkeypatch.setattr(tls, "SYSTEM_CA", places[:1])
    with pytest.raises(ConfigError, match=r"finds no authorities.*none"):
        tls.check(certfile=str(localhost.cert), **settings)


def test_a_revoked_client_is_rejected(authority, localhost):
    known, revoked = authority.issue("known"), authority.issue("revoked")
    authority.revoke(revoked)
    settings = {
        "ssl_cert_reqs": "required",
        "ssl_ca_certs": str(authority.cert),
        "ssl_crl": str(authority.list_revoked("tests.crl")),
    }
    assert is_served(authority, localhost, known, settings)
    assert not is_served(authority, localhost, revoked, settings)


def test_a_reload_takes_effect_for_new_connections_and_rejects_a_bad_pair(
    authority, tmp_path
):
    old, new = authority.issue("old", "DNS:localhost"), authority.issue("new")
    pair = Pair(tmp_path / "a.pem", tmp_path / "a.key")
    for theirs, ours in zip(old, pair, strict=True):
        shutil.copy(theirs, ours)
    with Secure(hello, pair, ssl_watch=0) as serving:
        kept = serving.open(client_context(authority))
        shutil.copy(new.cert, pair.cert)
        assert serving.reload() is False  # the key belongs to another certificate
        assert shown_to(serving, authority, "localhost") == "old"
        assert any("stay as they were" in x for x in serving.log.errors())
        shutil.copy(new.key, pair.key)
        assert serving.reload() is True
        assert shown_to(serving, authority, "localhost") == "new"
        kept.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        kept.close()


def why_not(**settings):
    """Return the line that is logged when the server cannot start."""
    serving = Secure(hello, Pair("", ""), **settings)
    assert serving.server.execute([serving.listener]) == 1
    (text,) = serving.log.errors()
    return text


def test_an_unusable_setting_is_reported_in_one_line(authority, localhost):
    other, locked = authority.issue("other"), authority.issue("l", password="secret")
    with_key = {"ssl_certfile": str(localhost.cert), "ssl_keyfile": str(other.key)}
    assert "does not belong" in why_not(**with_key)
    missing = {"ssl_certfile": "/no/such.pem", "ssl_keyfile": str(localhost.key)}
    assert "/no/such.pem: No such file" in why_not(**missing)
    wrong = {**locked.settings(), "ssl_keyfile_password": "wrong"}
    assert "password" in why_not(**wrong)


def test_an_encrypted_key_is_decrypted_with_its_password(authority):
    locked = authority.issue("locked", "DNS:localhost", password="secret")
    with Secure(hello, locked, ssl_keyfile_password="secret") as serving:
        assert serving.get(client_context(authority)).body == b"hello"


def test_a_key_needs_a_certificate(localhost):
    with pytest.raises(bolide.ConfigError, match="needs ssl_certfile"):
        bolide.Config(hello, ssl_keyfile=str(localhost.key))
