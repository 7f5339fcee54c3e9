"""New certificates without a restart: on SIGHUP, on a change of files, with workers."""

import shutil
import signal
import ssl

import pytest
from authority import Pair
from command import connect, read_until, request, serve
from crews import wait_for
from talking import client_context


@pytest.fixture
def pairs(authority, tmp_path):
    """Yield two pairs, and the files that the server reads, which hold the first
    pair.
    """
    old = authority.issue("old", "DNS:localhost")
    new = authority.issue("new", "DNS:localhost")
    served = Pair(tmp_path / "a.pem", tmp_path / "a.key")
    put(old, served)
    return old, new, served


def put(pair, served):
    """Put a pair into the files that the server reads, as certbot does."""
    for theirs, ours in zip(pair, served, strict=True):
        temporary = ours.with_suffix(".new")
        shutil.copy(theirs, temporary)
        temporary.rename(ours)


def open_to(authority, port):
    """Return a TLS connection."""
    context = client_context(authority, check_hostname=False)
    return context.wrap_socket(connect(port))


def shown_by(authority, port):
    """Return the common name of the certificate that a new connection gets."""
    with open_to(authority, port) as sock:
        return dict(x[0] for x in sock.getpeercert()["subject"])["commonName"]


def is_answered(sock):
    """Return whether a connection still serves requests."""
    sock.sendall(request(fields=""))
    return b"\r\n\r\nhello" in read_until(sock, b"hello")


def test_sighup_reloads_the_certificates(authority, pairs):
    _old, new, served = pairs
    with serve("hello", *served.words(), "--ssl-watch", "0") as command:
        port = command.port()
        kept = open_to(authority, port)
        assert is_answered(kept)
        shutil.copy(new.cert, served.cert)
        command.signal(signal.SIGHUP)
        line = command.err.line_with("the certificates stay as they were: ")
        assert f"the key {served.key} does not belong to its certificate" in line
        assert shown_by(authority, port) == "old"
        put(new, served)
        command.signal(signal.SIGHUP)
        command.err.line_with("the certificates were read again")
        assert shown_by(authority, port) == "new"
        assert is_answered(kept)
        kept.close()
        assert command.stop() == 0


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_changed_files_are_reloaded(authority, pairs, words):
    _old, new, served = pairs
    watching = ["--ssl-watch", "0.02"]
    with serve("hello", *served.words(), *watching, *words) as command:
        port = command.port()
        kept = open_to(authority, port)
        assert is_answered(kept)
        put(new, served)
        command.err.line_with("the certificates were read again")
        # Workers check the files one after another, and only one of them logs it.
        wait_for(
            lambda: all(shown_by(authority, port) == "new" for _ in range(8)),
            "an old certificate is sent",
        )
        assert is_answered(kept)
        kept.close()
        assert command.stop() == 0


def test_sighup_reloads_the_certificates_of_workers(authority, pairs):
    _old, new, served = pairs
    words = ["--workers", "2", "--ssl-watch", "0"]
    with serve("hello", *served.words(), *words) as command:
        port = command.port()
        shutil.copy(new.cert, served.cert)
        command.signal(signal.SIGHUP)
        command.err.line_with("does not belong to its certificate")
        command.err.line_with("the reload is abandoned, and the other workers continue")
        assert shown_by(authority, port) == "old"
        put(new, served)
        command.signal(signal.SIGHUP)
        command.err.line_with("reloaded: 2 new workers are serving")
        # A worker that ends may accept one more connection before it notices.
        wait_for(
            lambda: shown_by(authority, port) == "new", "the old certificate is sent"
        )
        assert command.stop() == 0


def test_a_session_outlives_a_reload(authority, pairs):
    _old, new, served = pairs
    context = client_context(authority, check_hostname=False)
    with serve("hello", *served.words(), "--ssl-watch", "0") as command:
        port = command.port()
        with context.wrap_socket(connect(port)) as sock:
            assert is_answered(sock)
            session = sock.session
        put(new, served)
        command.signal(signal.SIGHUP)
        command.err.line_with("the certificates were read again")
        with context.wrap_socket(connect(port), session=session) as sock:
            assert is_answered(sock)
            assert sock.session_reused


def test_new_revocations_take_effect(authority, pairs, tmp_path):
    """A client cannot avoid the check with an old ticket."""
    _old, _new, served = pairs
    client = authority.issue("client")
    crl = tmp_path / "crl.pem"
    shutil.copy(authority.list_revoked("before.crl"), crl)
    words = ["--ssl-ca-certs", str(authority.cert), "--ssl-cert-reqs", "required"]
    words += ["--ssl-crl", str(crl), "--ssl-watch", "0"]
    context = client_context(authority, client, check_hostname=False)
    with serve("hello", *served.words(), *words) as command:
        port = command.port()
        with context.wrap_socket(connect(port)) as sock:
            assert is_answered(sock)
            session = sock.session
        authority.revoke(client)
        shutil.copy(authority.list_revoked("after.crl"), crl)
        command.signal(signal.SIGHUP)
        command.err.line_with("the certificates were read again")
        with (
            pytest.raises((ssl.SSLError, ConnectionResetError)),
            context.wrap_socket(connect(port), session=session) as sock,
        ):
            is_answered(sock)
