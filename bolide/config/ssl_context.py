"""``ssl_context_factory``: applies a program's changes of Python's ssl context.

TLS is implemented by the engine, with OpenSSL and without Python's ssl module. So the
program is given a context that remembers what is loaded into it, and whose attributes
are read afterwards. Changes that cannot be read are rejected rather than ignored.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any

from bolide.config import choices, tls
from bolide.errors import ConfigError


class RememberingContext(ssl.SSLContext):
    """A context for servers that remembers what was loaded into it."""

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


def settings_of_factory(
    factory: Callable[..., Any],
    config: object,
    default: Callable[[], RememberingContext],
) -> dict[str, Any]:
    """Call ``factory(config, default)``; return the settings of its result.

    ``default()`` returns a context with the settings so far. Raises ConfigError.
    """
    if not callable(factory):
        raise _refusal(f"takes a function, not {factory!r}")
    context = factory(config, default)
    if not isinstance(context, RememberingContext):
        text = "has to return the context that it gets from its second argument"
        raise _refusal(text)
    if context.sni_callback is not None:
        raise _refusal("cannot set sni_callback; give several ssl_certfile instead")
    if not context.chains:
        raise _refusal("has to load a certificate, by load_cert_chain")
    return {
        "ssl_certfile": [chain[0] for chain in context.chains],
        "ssl_keyfile": [chain[1] for chain in context.chains],
        "ssl_keyfile_password": context.password,
        "ssl_cert_reqs": int(context.verify_mode),
        "ssl_ca_certs": context.ca,
        "ssl_ciphers": context.ciphers,
        "ssl_version": _version(context),
    }


def default_context(
    *,
    certfile: tls.Paths,
    keyfile: tls.Paths,
    keyfile_password: str | None,
    ca_certs: str | os.PathLike[str] | None,
    ciphers: str | None,
    version: int | str,
    cert_reqs: int | str,
) -> RememberingContext:
    """Return a context with these settings of Config; raise ConfigError."""
    context = RememberingContext(ssl.PROTOCOL_TLS_SERVER)
    context.chains = []
    checked = (
        tls.check(
            certfile=certfile, keyfile=keyfile, ca_certs=ca_certs, cert_reqs=cert_reqs
        )
        if certfile
        else None
    )
    for cert, key, _ in checked.pairs if checked is not None else ():
        context.load_cert_chain(cert, key, keyfile_password)
    authorities = tls.authorities(ca_certs)
    if authorities is not None:
        context.ca = ca_certs
        found = os.fsdecode(authorities)
        where = (None, found) if os.path.isdir(found) else (found, None)
        ssl.SSLContext.load_verify_locations(context, *where)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    low, high = choices.VERSIONS[tls.version_name(version)]
    context.minimum_version = ssl.TLSVersion(low)
    context.maximum_version = ssl.TLSVersion(high)
    context.verify_mode = ssl.VerifyMode(tls.verify_number(cert_reqs))
    return context


def _version(context: ssl.SSLContext) -> str:
    """Return the entry of ``bolide.config.choices.VERSIONS`` that a context allows."""
    low, high = context.minimum_version, context.maximum_version
    if high == ssl.TLSVersion.TLSv1_2:
        return "TLSv1.2"
    return "TLSv1.3" if low == ssl.TLSVersion.TLSv1_3 else "auto"
