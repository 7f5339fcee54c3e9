"""``ssl_context_factory``, as uvicorn has it."""

import ssl

import pytest
from talking import Secure, client_context, hello

import bolide


def only_newest(config, default):
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def test_what_it_changes_is_in_effect(authority, localhost):
    with Secure(hello, localhost, ssl_context_factory=only_newest) as serving:
        assert serving.get(client_context(authority)).body == b"hello"
        old = client_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
        with pytest.raises(ssl.SSLError):
            serving.open(old)


def test_clients_can_be_asked_for_certificates(authority, localhost):
    def mutual(config, default):
        context = default()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cafile=authority.cert)
        return context

    config = bolide.Config(hello, **localhost.settings(), ssl_context_factory=mutual)
    assert config.tls.verify == 2
    assert config.tls.ca == bytes(authority.cert)
    with Secure(hello, localhost, ssl_context_factory=mutual) as serving:
        client = authority.issue("client", "DNS:client")
        assert serving.get(client_context(authority, client)).body == b"hello"
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            serving.get(client_context(authority))


def test_the_files_can_be_its_own(authority, localhost):
    other = authority.issue("other", "DNS:localhost")

    def own(config, default):
        context = default()
        context.chains.clear()
        context.load_cert_chain(other.cert, other.key)
        context.set_ciphers("ECDHE+AESGCM")
        return context

    config = bolide.Config(hello, **localhost.settings(), ssl_context_factory=own)
    assert config.tls.pairs == [(bytes(other.cert), bytes(other.key), None)]
    assert config.tls.ciphers == b"ECDHE+AESGCM"


@pytest.mark.parametrize(
    ("factory", "text"),
    [
        (
            lambda config, default: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            "has to return the context",
        ),
        (lambda config, default: None, "has to return the context"),
    ],
)
def test_what_cannot_be_read_is_refused(localhost, factory, text):
    with pytest.raises(bolide.ConfigError, match=f"ssl_context_factory {text}"):
        bolide.Config(hello, **localhost.settings(), ssl_context_factory=factory)


def test_it_needs_a_certificate():
    with pytest.raises(bolide.ConfigError, match="ssl_context_factory has to load a"):
        bolide.Config(hello, ssl_context_factory=only_newest)
