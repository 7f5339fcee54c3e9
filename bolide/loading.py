"""What a Config does beside holding settings: loads the application, makes a socket.

The names are those of uvicorn's Config, for the programs that call them.
"""

from __future__ import annotations

import functools
import os
import socket
from typing import TYPE_CHECKING, Any, cast

from bolide.environment import read_env_file
from bolide.importer import load_app, look_first_in
from bolide.logs import LEVELS, Log
from bolide.loops import LoopFactory, loop_factory

if TYPE_CHECKING:
    from ssl import SSLContext

    from bolide.config import Config


class Loading:
    """The base of Config."""

    app: Any
    app_dir: str | None
    env_file: str | os.PathLike[str] | None
    factory: bool
    interface: str
    limit_max_requests: int | None
    limit_max_requests_jitter: int
    loop: Any
    notes: list[str]
    warnings: list[str]
    reload: bool
    tls: Any
    workers: int | str | None
    loaded = False
    """Whether ``load`` was called."""
    loaded_app: Any = None
    """The ASGI 3.0 application, once it is loaded."""

    def load(self) -> None:
        """Import the application, and what it needs first, as ``loaded_app``.

        Raises AppError and ConfigError.
        """
        self.prepare()
        self.loaded_app = self.load_app()
        self.loaded = True

    def load_app(self) -> Any:
        """Return the ASGI 3.0 application that is asked for; raise AppError."""
        return load_app(
            self.app,
            factory=self.factory,
            app_dir=self.app_dir,
            interface=self.interface,
            warn=self.warnings.append,
        )

    def tell_notes(self, log: Log) -> None:
        """Say what the user should be told at the start, once."""
        for level, text in self.take_notes():
            log.line(level, text)

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

    def get_loop_factory(self) -> LoopFactory | None:
        """Return what makes the event loop; None: asyncio's policy. ConfigError."""
        look_first_in(self.app_dir)
        return loop_factory(self.loop)

    def bind_socket(self) -> socket.socket:
        """Return one bound socket that can be inherited; raise BindError.

        Of several places it is the first, and the others are closed.
        """
        from bolide.sockets import bind

        first, *others = bind(cast("Config", self))
        for sock in others:
            sock.close()
        first.set_inheritable(True)
        return first

    @property
    def is_ssl(self) -> bool:
        """Whether TLS is spoken."""
        return self.tls is not None

    def draw_max_requests(self) -> int:
        """Return after how many requests a process ends; 0: it does not."""
        if self.limit_max_requests is None:
            return 0
        import random

        return self.limit_max_requests + random.randint(
            0, self.limit_max_requests_jitter
        )

    @functools.cached_property
    def ssl(self) -> SSLContext | None:
        """What the settings of TLS are as a context of Python's ssl; None without.

        The server has its own, which this does not change.
        """
        if self.tls is None:
            return None
        from bolide.context import default_context

        return default_context(cast("Config", self))

    @property
    def should_reload(self) -> bool:
        """Whether changes of files start the application anew."""
        return self.reload and isinstance(self.app, str)

    @property
    def use_subprocess(self) -> bool:
        """Whether other processes serve."""
        return self.reload or self.workers not in (None, 1)

    @property
    def asgi_version(self) -> str:
        """The version of ASGI that the application speaks."""
        return "2.0" if self.interface == "asgi2" else "3.0"
