"""What a server logs when it starts with TLS, and when it cannot."""

import shutil
import signal
import ssl
from pathlib import Path

import pytest
from authority import Pair
from command import connect, run, serve
from serving import read_answer, request
from talking import Secure, client_context, hello

import bolide


def why_not(*words):
    """Return the only line that a command prints before it exits with 1."""
    code, out, err = run("apps:hello", "--port", "0", *map(str, words))
    assert (code, out) == (1, "")
    (line,) = [x for x in err.splitlines() if " info " not in x]
    assert " error " in line, line
    return line


@pytest.fixture(scope="module")
def files(authority, stranger, tmp_path_factory):
    """Return files that cannot be used, by name."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "garbage").write_text("no PEM")
    names = {"folder": folder, "garbage": folder / "garbage"}
    names["missing"] = folder / "missing"
    names["locked"] = authority.issue("locked", password="secret")
    names["other"] = authority.issue("other")
    return names


CASES = [
    ("missing", "good", [], "the certificate {0}: No such file or directory"),
    ("good", "missing", [], "the key {1}: No such file or directory"),
    ("folder", "good", [], "the certificate {0}: it is a folder"),
    ("garbage", "good", [], "the certificate {0}: no certificate in PEM is in it"),
    ("good", "garbage", [], "the key {1}: no private key in PEM is in it"),
    ("good", "other", [], "the key {1} does not belong to its certificate"),
    ("locked", "locked", [], "the key {1} is encrypted, and no password was given"),
    (
        *("locked", "locked", ["--ssl-keyfile-password", "x"]),
        "the key {1}: wrong password",
    ),
    ("good", "good", ["--ssl-ciphers", "x"], 'the ciphers "x" cannot be used'),
    ("good", "good", ["--ssl-ca-certs", "{garbage}"], "no certificate in PEM is in it"),
    ("good", "good", ["--ssl-ca-certs", "{missing}"], "CA file {missing}: No such"),
    ("good", "good", ["--ssl-crl", "{garbage}"], "list {garbage}: none in PEM is"),
    (
        "good",
        "good",
        ["--ssl-ocsp", "{garbage}"],
        "OCSP response {garbage}: it is none",
    ),
    ("good", "good", ["--ssl-ticket-key", "{garbage}"], "32 random bytes or more"),
    ("good", "good", ["--ssl-ticket-key", "{missing}"], "cannot be read: {missing}"),
]


@pytest.fixture(scope="module")
def expired(authority):
    """An expired pair."""
    return authority.issue_expired("localhost")


def served_name(port):
    """Return whether a client without verification gets a response."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(connect(port)) as sock:
        sock.sendall(request(fields="Connection: close\r\n"))
        return read_answer(sock).body == b"hello"


@pytest.mark.parametrize("words", [[], ["--workers", "2"]], ids=["one", "workers"])
def test_an_expired_certificate_is_used_and_logged(expired, words):
    with serve("hello", *expired.words(), *words) as command:
        line = command.err.line_with("expired on 2020-01-02")
        assert " error " in line
        assert str(expired.cert) in line
        assert served_name(command.port())


@pytest.mark.parametrize("words", [[], ["--workers", "2"]], ids=["one", "workers"])
def test_a_reload_accepts_an_expired_certificate_and_logs_it(
    localhost, expired, tmp_path, words
):
    served = Pair(tmp_path / "a.pem", tmp_path / "a.key")
    for theirs, ours in zip(localhost, served, strict=True):
        shutil.copy(theirs, ours)
    with serve("hello", *served.words(), "--ssl-watch", "0", *words) as command:
        port = command.port()
        assert served_name(port)
        for theirs, ours in zip(expired, served, strict=True):
            shutil.copy(theirs, ours)
        command.signal(signal.SIGHUP)
        assert " error " in command.err.line_with("expired on 2020-01-02")
        assert served_name(port)


@pytest.mark.parametrize(("cert", "key", "more", "told"), CASES)
def test_one_clear_line_names_what_cannot_be_used(
    localhost, files, cert, key, more, told
):
    known = {**files, "good": localhost}
    cert, key = known[cert], known[key]
    paths = getattr(cert, "cert", cert), getattr(key, "key", key)
    more = [word.format(**files) for word in more]
    line = why_not("--ssl-certfile", paths[0], "--ssl-keyfile", paths[1], *more)
    assert told.format(*paths, **files) in line


def test_an_unusable_certificate_is_logged_once_for_all_workers(files):
    words = ["--ssl-certfile", files["missing"], "--workers", "1"]
    assert "No such file" in why_not(*words)


def who_encrypts():
    """Return what is logged at the start, with the kernel's state for comparison."""
    from bolide.config.tls import ktls_refusal

    refusal = ktls_refusal()
    path = Path("/proc/sys/net/ipv4/tcp_available_ulp")
    if path.exists() and "tls" not in path.read_text().split():
        assert refusal
    return f"encrypted in the process: {refusal}" if refusal else "kTLS is on"


@pytest.mark.parametrize("words", [(), ("--workers", "2")])
def test_the_start_logs_once_who_encrypts(authority, localhost, words):
    with serve("hello", *localhost.words(), "--ktls", "auto", *words) as command:
        context = client_context(authority, check_hostname=False)
        with context.wrap_socket(connect(command.port())) as sock:
            sock.sendall(request())
            assert read_answer(sock).body == b"hello"
        assert command.stop() == 0
        said = command.err.rest()
        assert said.count(who_encrypts()) == 1
    with serve("hello", *localhost.words(), *words) as command:
        command.port()
        assert command.stop() == 0
        assert "kTLS" not in command.err.rest()


def test_the_start_line_has_an_https_address(localhost):
    with serve("hello", *localhost.words()) as command:
        assert command.where().startswith("https://127.0.0.1:")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("31536000", "max-age=31536000"),
        (60, "max-age=60"),
        ("max-age=1; includeSubDomains", "max-age=1; includeSubDomains"),
        (None, None),
    ],
)
def test_hsts_is_in_every_response(authority, localhost, given, sent):
    with Secure(hello, localhost, hsts=given) as serving:
        for fields in "", "Connection: close\r\n":
            with serving.open(client_context(authority)) as sock:
                sock.sendall(request(fields=fields))
                answer = read_answer(sock)
                assert answer.field("strict-transport-security") == sent


def test_hsts_is_a_number_of_seconds_or_the_whole_value(localhost):
    with pytest.raises(bolide.ConfigError, match="hsts takes seconds, or max-age"):
        bolide.Config(hello, hsts="soon", **localhost.settings())


def test_settings_of_uvicorn_have_the_same_meaning(localhost):
    config = bolide.Config(
        hello,
        **localhost.settings(),
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
        ssl_ca_certs=str(localhost.cert),
        ssl_ciphers="TLSv1",
        ssl_keyfile_password="x",
    )
    assert config.tls.verify == 1
    assert config.tls.versions == (0x0303, 0x0304)
