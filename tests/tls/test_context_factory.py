"""``ssl_context_factory``, compatible with uvicorn."""

import ssl

import pytest
from talking import Secure, client_context, hello

import bolide


def only_newest(config, default):
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def test_changes_by_the_factory_are_in_effect(authority, localhost):
    with Secure(hello, localhost, ssl_context_factory=only_newest) as serving:
        assert serving.get(client_context(authority)).body == b"hello"
        old = client_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
        with pytest.raises(ssl.SSLError):
            serving.open(old)


def test_the_factory_can_require_client_certificates(authority, localhost):
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


def test_the_factory_can_load_its_own_files(authority, localhost):
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
def test_an_unsupported_context_is_rejected(localhost, factory, text):
    with pytest.raises(bolide.ConfigError, match=f"ssl_context_factory {text}"):
        bolide.Config(hello, **localhost.settings(), ssl_context_factory=factory)


def test_the_factory_has_to_load_a_certificate():
    with pytest.raises(bolide.ConfigError, match="ssl_context_factory has to load a"):
        bolide.Config(hello, ssl_context_factory=only_newest)


def test_system_authorities_are_in_the_context_too(authority, localhost, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert))
    config = bolide.Config(hello, **localhost.settings(), ssl_ca_certs="system")
    assert [x["subject"] for x in config.ssl.get_ca_certs()]
