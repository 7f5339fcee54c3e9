"""``ssl_context_factory``: what a program changes of Python's ssl context is kept.

TLS is spoken by the engine, with OpenSSL and without Python's ssl. So the program is
given a context that remembers what is loaded into it, and its attributes are read
afterwards. What cannot be read of it is refused rather than ignored.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bolide.errors import ConfigError

if TYPE_CHECKING:
    from bolide.config import Config


class RememberingContext(ssl.SSLContext):
    """A context for servers that tells what was loaded into it."""

    chains: list[tuple[Any, Any]]
    """Certificate and key, names of files."""
    password: Any = None
    ca: Any = None
    ciphers: str | None = None

    def load_cert_chain(
        self, certfile: Any, keyfile: Any = None, password: Any = None
    ) -> None:
        """Load as ssl.SSLContext does, and remember it."""
        super().load_cert_chain(certfile, keyfile, password)
        if callable(password):
            password = password()
        self.chains.append((certfile, keyfile if keyfile is not None else certfile))
        self.password = password if password is not None else self.password

    def load_verify_locations(
        self, cafile: Any = None, capath: Any = None, cadata: Any = None
    ) -> None:
        """Load as ssl.SSLContext does, and remember it."""
        super().load_verify_locations(cafile, capath, cadata)
        if cadata is not None or self.ca is not None or (cafile and capath):
            raise _refusal("can load certificates to verify by from one file or folder")
        self.ca = cafile or capath

    def set_ciphers(self, cipherlist: str, /) -> None:
        """Choose as ssl.SSLContext does, and remember it."""
        super().set_ciphers(cipherlist)
        self.ciphers = cipherlist


def _refusal(text: str) -> ConfigError:
    return ConfigError("ssl_context_factory", text)


def apply_context_factory(config: Config, factory: Callable[..., Any]) -> None:
    """Call ``factory(config, default)`` and set what it asks for; raise ConfigError.

    ``default()`` returns a context with what ``config`` has so far.
    """
    if not callable(factory):
        raise _refusal(f"takes a function, not {factory!r}")
    context = factory(config, lambda: default_context(config))
    if not isinstance(context, RememberingContext):
        text = "has to return the context that it gets from its second argument"
        raise _refusal(text)
    if context.sni_callback is not None:
        raise _refusal("cannot set sni_callback; give several ssl_certfile instead")
    if not context.chains:
        raise _refusal("has to load a certificate, by load_cert_chain")
    config.ssl_certfile = [chain[0] for chain in context.chains]
    config.ssl_keyfile = [chain[1] for chain in context.chains]
    config.ssl_keyfile_password = context.password
    config.ssl_cert_reqs = int(context.verify_mode)
    config.ssl_ca_certs = context.ca
    config.ssl_ciphers = context.ciphers
    config.ssl_version = _version(context)


def default_context(config: Config) -> RememberingContext:
    """Return a context with what ``config`` has; raise ConfigError."""
    from bolide import tls

    context = RememberingContext(ssl.PROTOCOL_TLS_SERVER)
    context.chains = []
    if config.ssl_certfile:
        checked = tls.check(config)
        assert checked is not None
        for cert, key, _ in checked.pairs:
            context.load_cert_chain(cert, key, config.ssl_keyfile_password)
    if config.ssl_ca_certs is not None:
        context.ca = config.ssl_ca_certs
        found = config.ssl_ca_certs
        where = (None, found) if os.path.isdir(found) else (found, None)
        ssl.SSLContext.load_verify_locations(context, *where)
    if config.ssl_ciphers is not None:
        context.set_ciphers(config.ssl_ciphers)
    low, high = tls.VERSIONS[tls.version_name(config.ssl_version)]
    context.minimum_version = ssl.TLSVersion(low)
    context.maximum_version = ssl.TLSVersion(high)
    context.verify_mode = ssl.VerifyMode(tls.verify_number(config.ssl_cert_reqs))
    return context


def _version(context: ssl.SSLContext) -> str:
    """Return which of ``bolide.tls.VERSIONS`` a context allows."""
    low, high = context.minimum_version, context.maximum_version
    if high == ssl.TLSVersion.TLSv1_2:
        return "TLSv1.2"
    return "TLSv1.3" if low == ssl.TLSVersion.TLSv1_3 else "auto"
