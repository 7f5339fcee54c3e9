"""Session resumption with tickets, and what is offered in a handshake."""

import re
import shutil
import ssl
import subprocess
import time

import pytest
from command import DEADLINE_S, connect, serve
from serving import body_of, read_all, read_answer, request
from talking import Secure, client_context, hello

LAST = request(fields="Connection: close\r\n")

# An HTTP/2 client that leaves at once: its preface, SETTINGS and GOAWAY.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
GOAWAY = bytes((0, 0, 8, 7)) + bytes(13)


def context_of(authority, version):
    """Return a client context for one version."""
    return client_context(authority, minimum_version=version, maximum_version=version)


def tickets_seen_by(context):
    """Return a list that gets an item for each ticket that a client receives."""
    seen = []

    def on_message(sock, direction, version, content_type, kind, data):
        if direction == "read" and getattr(kind, "name", "") == "NEWSESSION_TICKET":
            seen.append(data)

    context._msg_callback = on_message
    return seen


def finish(sock):
    """Make the server end the connection, and read all of it."""
    if sock.selected_alpn_protocol() == "h2":
        sock.sendall(PREFACE + GOAWAY)
    else:
        sock.sendall(LAST)
    read_all(sock)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(authority, localhost, version):
    context = context_of(authority, version)
    with Secure(hello, localhost) as serving:
        with serving.open(context) as sock:
            sock.sendall(request())
            assert read_answer(sock).body == b"hello"
            session = sock.session
        with serving.open(context, session=session) as sock:
            sock.sendall(request())
            assert read_answer(sock).body == b"hello"
            assert sock.session_reused


def test_each_resumption_issues_a_new_ticket(authority, localhost):
    """Clients of TLS 1.3 use each ticket once (RFC 8446 C.4)."""
    context = context_of(authority, ssl.TLSVersion.TLSv1_3)
    session, seen = None, set()
    with Secure(hello, localhost) as serving:
        for count in range(4):
            with serving.open(context, session=session) as sock:
                sock.sendall(request())
                assert read_answer(sock).body == b"hello"
                assert sock.session_reused == (count > 0)
                session = sock.session
                seen.add(session.id)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("protocols", "expected"), [([], 2), (["http/1.1"], 2), (["h2", "http/1.1"], 1)]
)
def test_a_client_gets_as_many_tickets_as_it_needs(
    authority, localhost, protocols, expected
):
    """A client of HTTP/2 needs one connection, others open several."""
    context = context_of(authority, ssl.TLSVersion.TLSv1_3)
    if protocols:
        context.set_alpn_protocols(protocols)
    seen = tickets_seen_by(context)
    with Secure(hello, localhost) as serving:
        with serving.open(context) as sock:
            finish(sock)
            session = sock.session
        assert len(seen) == expected
        del seen[:]
        with serving.open(context, session=session) as sock:
            finish(sock)
            assert sock.session_reused
        assert len(seen) == 1, "a resumption issues one"


def test_without_a_session_timeout_there_are_no_tickets(authority, localhost):
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        context = context_of(authority, version)
        with (
            Secure(hello, localhost, ssl_session_timeout=0) as serving,
            serving.open(context) as sock,
        ):
            sock.sendall(request())
            assert read_answer(sock).body == b"hello"
            assert sock.session is None or not sock.session.has_ticket


def ask_pid(context, port, session=None):
    """Return which process responds, the session, and whether it was resumed."""
    with context.wrap_socket(
        connect(port),
        server_hostname="localhost",
        session=session,
    ) as sock:
        sock.sendall(LAST)
        return body_of(read_all(sock)), sock.session, sock.session_reused


def test_a_session_of_one_worker_is_resumed_by_all(authority, localhost):
    context = client_context(authority)
    with serve("pid", *localhost.words(), "--workers", "2") as command:
        port = command.port()
        first, session, _ = ask_pid(context, port)
        end, seen = time.monotonic() + DEADLINE_S, {first}
        while len(seen) < 2:
            pid, session, resumed = ask_pid(context, port, session)
            assert resumed
            seen.add(pid)
            assert time.monotonic() < end, "one worker answers everything"


def s_client(serving, authority, *words):
    """Return the output of ``openssl s_client``."""
    where = f"127.0.0.1:{serving.place[1]}"
    done = subprocess.run(
        ["openssl", "s_client", "-connect", where, "-CAfile", authority.cert, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def test_there_is_no_early_data_and_no_compression(authority, localhost):
    """A request that is sent before the end of the handshake could be a replay."""
    with Secure(hello, localhost) as serving:
        with serving.open(client_context(authority)) as sock:
            sock.sendall(request())
            read_answer(sock)
            assert sock.compression() is None
        _, text = s_client(serving, authority, "-tls1_3", "-ign_eof")
        _, old = s_client(serving, authority, "-tls1_2", "-comp")
    assert "Max Early Data: 0" in text or "Early data was not sent" in text
    assert "Compression: NONE" in old


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), True),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), True),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"), False),
        (("-tls1_2", "-cipher", "AES128-GCM-SHA256:AES128-SHA"), False),
        (("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"), True),
        (("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"), False),
        (("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"), False),
    ],
)
def test_only_safe_ciphers_are_accepted(authority, localhost, words, taken):
    with Secure(hello, localhost) as serving:
        code, text = s_client(serving, authority, *words)
    assert (code == 0) == taken, text


def test_ciphers_can_be_configured(authority, localhost):
    wanted = "ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_256_GCM_SHA384"
    with Secure(hello, localhost, ssl_ciphers=wanted) as serving:
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with serving.open(context_of(authority, version)) as sock:
                assert sock.cipher()[0] in wanted.split(":")
        words = "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"
        assert s_client(serving, authority, *words)[0] != 0


@pytest.mark.parametrize("asked", ["TLSv1.2", "TLSv1.3"])
def test_the_server_can_be_limited_to_one_version(authority, localhost, asked):
    with Secure(hello, localhost, ssl_version=asked) as serving:
        with serving.open(client_context(authority)) as sock:
            assert sock.version() == asked
        other = "-tls1_3" if asked == "TLSv1.2" else "-tls1_2"
        assert s_client(serving, authority, other)[0] != 0


@pytest.mark.parametrize(
    ("offered", "settings", "agreed"),
    [
        (["h2", "http/1.1"], {}, "h2"),
        (["http/1.1", "h2"], {}, "h2"),
        (["h2", "http/1.1"], {"http2": False}, "http/1.1"),
        (["x", "http/1.1"], {}, "http/1.1"),
    ],
)
def test_alpn_follows_the_server_s_order(
    authority, localhost, offered, settings, agreed
):
    context = client_context(authority)
    context.set_alpn_protocols(offered)
    with (
        Secure(hello, localhost, **settings) as serving,
        serving.open(context) as sock,
    ):
        assert sock.selected_alpn_protocol() == agreed


@pytest.mark.parametrize("stapled", [True, False])
def test_an_ocsp_response_is_stapled_if_requested(
    authority, localhost, stapled, tmp_path
):
    response = authority.answer_ocsp(localhost, tmp_path)
    settings = {"ssl_ocsp": str(response)} if stapled else {}
    with Secure(hello, localhost, **settings) as serving:
        _, text = s_client(serving, authority, "-status")
        _, plain = s_client(serving, authority)
    assert ("OCSP Response Status: successful" in text) == stapled
    assert (re.search("no responses? sent", text) is None) == stapled
    assert "OCSP" not in plain


def test_curl_negotiates_http2(authority, localhost):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    with Secure(hello, localhost) as serving:
        url = f"https://localhost:{serving.place[1]}/"
        words = ["-sS", "--cacert", authority.cert, "--noproxy", "*"]
        words += ["--http2", "-w", " %{http_version} %{ssl_verify_result}", url]
        done = subprocess.run(
            ["curl", *words], capture_output=True, timeout=DEADLINE_S, check=True
        )
    assert done.stdout == b"hello 2 0"
