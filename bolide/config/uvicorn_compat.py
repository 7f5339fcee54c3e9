"""Methods of Config: it loads the application and makes a socket.

They have the names of uvicorn's Config, for programs that call them.
"""

from __future__ import annotations

import functools
import os
import socket
from typing import TYPE_CHECKING, Any

from bolide.config.choices import LEVELS
from bolide.config.env_file import read_env_file
from bolide.config.table import Settings

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from ssl import SSLContext

    from bolide.config.binds import Bind
    from bolide.config.ssl_context import RememberingContext
    from bolide.config.tls import TLS


class UvicornCompat(Settings):
    """The base of Config."""

    notes: list[str]
    places: list[Bind]
    tls: TLS | None
    warnings: list[str]
    loaded = False
    """Whether ``load`` was called."""
    loaded_app: Any = None
    """The ASGI 3.0 application, once it is loaded."""

    def load(self) -> None:
        """Load the environment file and the application, as ``loaded_app``.

        Raises AppError or ConfigError.
        """
        self.prepare()
        self.loaded_app = self.load_app()
        self.loaded = True

    def load_app(self) -> Any:
        """Return the ASGI 3.0 application that ``app`` names; raise AppError."""
        from bolide.serving.app_loader import load_app

        return load_app(
            self.app,
            factory=self.factory,
            app_dir=self.app_dir,
            interface=self.interface,
            warn=self.warnings.append,
        )

    def take_notes(self) -> list[tuple[int, str]]:
        """Return what the user should be told, with its level, once."""
        notes = [(LEVELS["warning"], x) for x in self.warnings]
        notes += [(LEVELS["info"], x) for x in self.notes]
        self.warnings.clear()
        self.notes.clear()
        return notes

    def prepare(self) -> None:
        """Put the variables of ``env_file`` into the environment; raise ConfigError."""
        for name, value in read_env_file(self.env_file).items():
            os.environ.setdefault(name, value)

    def get_loop_factory(self) -> Callable[[], AbstractEventLoop] | None:
        """Return a function that creates the event loop, or None for asyncio's policy.

        Raises ConfigError.
        """
        from bolide.serving.app_loader import look_first_in
        from bolide.serving.loops import loop_factory

        look_first_in(self.app_dir)
        return loop_factory(self.loop)

    def bind_socket(self) -> socket.socket:
        """Return one bound socket that can be inherited; raise BindError.

        If there are several addresses, it is the first, and the others are closed.
        """
        from bolide.serving.sockets import bind_places

        first, *others = bind_places(self.places, needs_udp=bool(self.http3))
        for sock in others:
            sock.close()
        first.set_inheritable(True)
        return first

    @property
    def is_ssl(self) -> bool:
        """Whether the server uses TLS."""
        return self.tls is not None

    def draw_max_requests(self) -> int:
        """Return the number of requests after which a process ends; 0: no limit."""
        if self.limit_max_requests is None:
            return 0
        import random

        return self.limit_max_requests + random.randint(
            0, self.limit_max_requests_jitter
        )

    @functools.cached_property
    def ssl(self) -> SSLContext | None:
        """The TLS settings as a context of Python's ssl; None without TLS.

        The server uses a separate context, which this one does not change.
        """
        if self.tls is None:
            return None
        return self.make_context()

    def make_context(self) -> RememberingContext:
        """Return a context of Python's ssl with the settings of TLS so far."""
        from bolide.config.ssl_context import default_context

        return default_context(
            certfile=self.ssl_certfile,
            keyfile=self.ssl_keyfile,
            keyfile_password=self.ssl_keyfile_password,
            ca_certs=self.ssl_ca_certs,
            ciphers=self.ssl_ciphers,
            version=self.ssl_version,
            cert_reqs=self.ssl_cert_reqs,
        )

    @property
    def should_reload(self) -> bool:
        """Whether changes of files restart the application."""
        return self.reload and isinstance(self.app, str)

    @property
    def use_subprocess(self) -> bool:
        """Whether other processes serve."""
        return self.reload or self.workers not in (None, 1)

    @property
    def asgi_version(self) -> str:
        """The version of ASGI that the application speaks."""
        return "2.0" if self.interface == "asgi2" else "3.0"
