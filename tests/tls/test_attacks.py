"""Bytes that TLS does not allow, and floods of bytes that it allows.

Covers src/server/handshake.c.
"""

import contextlib
import socket
import ssl

import pytest
from serving import DEADLINE_S, read_all, read_answer, request
from talking import Secure, client_context, hello
from tlslite.constants import AlertDescription, ContentType
from tlslite.errors import TLSAbruptCloseError, TLSError, TLSRemoteAlert
from tlslite.handshakesettings import HandshakeSettings
from tlslite.messages import ApplicationData, KeyUpdate, Message
from tlslite.tlsconnection import TLSConnection


@pytest.fixture(scope="module")
def serving(localhost):
    """Return a server that all cases attack; it must survive them all."""
    with Secure(hello, localhost) as running:
        yield running


@pytest.fixture(autouse=True)
def still_serves(serving, authority):
    """Check after each case that others are still served."""
    yield
    assert serving.get(client_context(authority)).body == b"hello"


class Bytes:
    """A client that gives access to every byte in both directions."""

    def __init__(self, serving, authority, version=None):
        context = client_context(authority)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.into, self.out, server_hostname="localhost")
        self.sock = serving.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def hello(self):
        """Return a ClientHello record."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.out.read()

    def feed(self):
        """Process received bytes; return whether the connection is still open."""
        data = self.sock.recv(65536)
        self.into.write(data)
        return bool(data)

    def handshake(self):
        """Complete the handshake."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(self.out.read())
                assert self.feed()
            else:
                self.sock.sendall(self.out.read())
                return

    def ending(self):
        """Return the name of the alert that ends the connection, or "" if there is
        none.
        """
        while True:
            try:
                while True:
                    self.tls.read(65536)
            except ssl.SSLWantReadError:
                try:
                    if not self.feed():
                        return ""
                except ConnectionResetError:
                    return ""
            except ssl.SSLError as error:
                return error.reason or ""


def alert_of(data):
    """Return the number of the unencrypted fatal alert that ends ``data``, or None."""
    if len(data) >= 7 and data[-7] == ContentType.alert and data[-2] == 2:
        return data[-1]
    return None


def test_a_client_hello_sent_byte_by_byte_is_accepted(serving, authority):
    with Bytes(serving, authority) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in client.hello():
            client.sock.sendall(bytes([byte]))
        assert client.feed()
        client.handshake()
        client.tls.write(request())
        client.sock.sendall(client.out.read())
        answer = b""
        while b"hello" not in answer:
            try:
                answer += client.tls.read(65536)
            except ssl.SSLWantReadError:
                assert client.feed()


def test_a_client_hello_in_many_records_is_accepted(serving, authority):
    with Bytes(serving, authority) as client:
        record = client.hello()
        for byte in record[5:]:
            client.sock.sendall(record[:3] + bytes([0, 1, byte]))
        assert client.feed()
        client.handshake()


@pytest.mark.parametrize(
    ("sent", "alert"),
    [
        pytest.param("16030100050100000001ff", None, id="short hello"),
        pytest.param(
            "160301000401ffffff", AlertDescription.illegal_parameter, id="16M"
        ),
        pytest.param("1603014801", AlertDescription.record_overflow, id="big record"),
        pytest.param("802e010002001500000010", None, id="SSLv2"),
        pytest.param("170303000568656c6c6f", None, id="data first"),
        pytest.param("160301000401000000", AlertDescription.decode_error, id="empty"),
    ],
)
def test_other_records_before_the_hello_end_the_connection(serving, sent, alert):
    with serving.connect() as sock:
        sock.sendall(bytes.fromhex(sent) + bytes(64))
        sock.shutdown(socket.SHUT_WR)
        data = read_all(sock)
    assert not data.startswith(b"HTTP")
    if alert is not None:
        assert alert_of(data) == alert, data


@pytest.mark.parametrize(
    "sent",
    [
        bytes((21, 3, 1, 0, 2, 2, 40)),  # an alert
        bytes((21, 3, 3, 0, 2, 1, 0)),  # close_notify
        bytes((24, 3, 3, 0, 3, 1, 0, 1)),  # a heartbeat
        bytes((23, 3, 3, 0, 2, 1, 0)),  # application data
        bytes((20, 3, 3, 0, 1, 1)),  # ChangeCipherSpec
    ],
    ids=["alert", "close_notify", "heartbeat", "data", "change_cipher_spec"],
)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
def test_a_wrong_first_record_ends_the_connection_at_once(localhost, sent, bytewise):
    """The log says why, not that the handshake has timed out."""
    with (
        Secure(hello, localhost, timeout_handshake=600) as serving,
        serving.connect() as sock,
    ):
        for piece in (
            [sent[i : i + 1] for i in range(len(sent))] if bytewise else [sent]
        ):
            sock.sendall(piece)
        if sent[0] == 20:
            sock.shutdown(socket.SHUT_WR)
        read_all(sock)
    texts = [text for _, text in serving.log.lines]
    assert not any("in time" in text for text in texts), texts
    if sent[0] in (23, 24) or sent[5:] == bytes((2, 40)):
        assert any("a TLS error: " in text for text in texts), texts


@pytest.mark.parametrize("version", [b"\x03\x01", b"\x03\x02"])
def test_old_versions_get_protocol_version(serving, authority, version):
    """TLS 1.0 and 1.1 (RFC 8996): a ClientHello of TLS 1.2 with a lower version
    number.
    """
    with Bytes(serving, authority, ssl.TLSVersion.TLSv1_2) as client:
        record = bytearray(client.hello())
        record[9:11] = version
        client.sock.sendall(record)
        assert alert_of(read_all(client.sock)) == AlertDescription.protocol_version


def test_an_oversized_record_ends_the_connection(serving, authority):
    with Bytes(serving, authority) as client:
        client.handshake()
        client.sock.sendall(bytes.fromhex("1703034801") + bytes(1000))
        assert client.ending() == "TLSV1_ALERT_RECORD_OVERFLOW"


def test_a_flood_of_change_cipher_spec_ends_the_handshake(serving, authority):
    with Bytes(serving, authority, ssl.TLSVersion.TLSv1_3) as client:
        client.sock.sendall(client.hello())
        with contextlib.suppress(OSError):
            client.sock.sendall(bytes.fromhex("140303000101") * 1000)
        assert b"HTTP" not in read_all(client.sock)


def test_change_cipher_spec_after_the_handshake_is_rejected(serving, authority):
    with Bytes(serving, authority, ssl.TLSVersion.TLSv1_3) as client:
        client.handshake()
        client.sock.sendall(bytes.fromhex("140303000101"))
        assert "UNEXPECTED_MESSAGE" in client.ending()


class Raw(TLSConnection):
    """The client of tlslite, which can send messages that are not allowed."""

    def say(self, message):
        """Send one message unchanged."""
        for _ in self._sendMsg(message, False, False):
            pass

    def ending(self):
        """Return the number of the alert that ends the connection, or None without
        an alert.
        """
        try:
            while self.read(min=1, max=65536):
                pass
        except TLSRemoteAlert as alert:
            return alert.description
        except (TLSAbruptCloseError, OSError):
            return None
        return None


@contextlib.contextmanager
def raw(serving, version=(3, 4)):
    """Yield a Raw that has completed its handshake."""
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = version
    sock = serving.connect()
    client = Raw(sock)
    client.handshakeClientCert(settings=settings, serverName="localhost")
    try:
        yield client
    finally:
        sock.close()


def key_update(number):
    """Return a KeyUpdate with request_update ``number`` (RFC 8446 4.6.3)."""
    return KeyUpdate().create(number)


def test_a_key_update_is_answered_and_the_connection_continues(localhost):
    with Secure(hello, localhost, ktls="off") as serving, raw(serving) as client:
        for _ in range(3):
            for _ in client.send_keyupdate_request(1):
                pass
            client.write(request())
            data = b""
            while b"hello" not in data:
                data += client.read(min=1, max=65536)


def is_ended_by(serving, client, message, told):
    """Return whether sending a message repeatedly ends the connection with a logged
    reason.
    """
    has_ended = False
    try:
        for _ in range(5000):
            message()
    except (OSError, TLSError):
        has_ended = True
    client.ending()
    return has_ended and any(told in line for _, line in serving.log.lines)


def test_a_flood_of_key_updates_ends_the_connection(authority, localhost):
    """Unread replies must not accumulate either (RFC 9846 4.7.3)."""
    patient = Secure(hello, localhost, timeout_keep_alive=600, ktls="off")
    with patient as serving, raw(serving) as client:
        update = lambda: list(client.send_keyupdate_request(1))  # noqa: E731
        assert is_ended_by(serving, client, update, "a flood of handshake messages")


def test_a_bad_key_update_is_an_illegal_parameter(serving):
    with raw(serving) as client:
        client.say(key_update(2))
        assert client.ending() == AlertDescription.illegal_parameter


def test_a_second_hello_is_an_unexpected_message(serving):
    with raw(serving) as client:
        hello = bytearray.fromhex("010000260303") + bytes(32) + bytearray(4)
        client.say(Message(ContentType.handshake, hello))
        assert client.ending() == AlertDescription.unexpected_message


@pytest.mark.parametrize("version", [(3, 3), (3, 4)])
def test_empty_records_end_the_connection(serving, version):
    with raw(serving, version) as client:
        empty = ApplicationData().create(bytearray())
        with contextlib.suppress(OSError, TLSError):
            for _ in range(1000):
                client.say(empty)
        assert client.ending() in (None, AlertDescription.unexpected_message)


def test_a_second_handshake_ends_the_connection(authority, localhost):
    """Renegotiation, which TLS 1.2 allows (CVE-2011-1473, RFC 9113 9.2.1)."""
    again = bytearray.fromhex("0100002b0303") + bytes(32)
    again += bytes.fromhex("000002c02b01000000")
    again[3] = len(again) - 4
    patient = Secure(hello, localhost, timeout_keep_alive=600)
    with patient as serving, raw(serving, (3, 3)) as client:
        ask = lambda: client.say(Message(ContentType.handshake, again))  # noqa: E731
        assert is_ended_by(serving, client, ask, "renegotiation")


@pytest.mark.parametrize(
    ("protocol", "sent"),
    [
        ("h2", request()),
        ("http/1.1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
    ],
)
def test_only_the_negotiated_protocol_is_accepted(serving, authority, protocol, sent):
    context = client_context(authority)
    context.set_alpn_protocols([protocol])
    with serving.open(context) as sock:
        assert sock.selected_alpn_protocol() == protocol
        sock.sendall(sent)
        data = read_all(sock)
    assert not data.startswith(b"HTTP/1.1 200")
    assert b"hello" not in data


def test_a_session_cannot_be_resumed_for_another_host(authority):
    """A ticket is valid only for the host it was issued for (CVE-2025-23419)."""
    a, b = (authority.issue(x, f"DNS:{x}.example") for x in "ab")
    client = authority.issue("client")
    settings = {
        "ssl_certfile": [str(x.cert) for x in (a, b)],
        "ssl_keyfile": [str(x.key) for x in (a, b)],
        "ssl_ca_certs": str(authority.cert),
        "ssl_cert_reqs": "required",
    }
    context = client_context(authority, client)
    with Secure(hello, a, **settings) as serving:
        with serving.open(context, "a.example") as sock:
            sock.sendall(request())
            read_answer(sock)
            session = sock.session
        with serving.open(context, "b.example", session) as sock:
            sock.settimeout(DEADLINE_S)
            assert not sock.session_reused
        with serving.open(context, "a.example", session) as sock:
            assert sock.session_reused
