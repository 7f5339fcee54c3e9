"""What a Config does beside holding settings: loads the application, makes a socket.

The names are those of uvicorn's Config, for the programs that call them.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, cast

from bolide.errors import ConfigError
from bolide.importer import load_app, look_first_in
from bolide.logs import LEVELS, Log
from bolide.loops import LoopFactory, loop_factory

if TYPE_CHECKING:
    from bolide.config import Config


class Loading:
    """The base of Config."""

    app: Any
    app_dir: str | None
    env_file: str | os.PathLike[str] | None
    factory: bool
    interface: str
    loop: Any
    notes: list[str]
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
        )

    def tell_notes(self, log: Log) -> None:
        """Say what the user should be told at the start, once."""
        for note in self.notes:
            log.line(LEVELS["info"], note)
        self.notes.clear()

    def prepare(self) -> None:
        """Put the variables of ``env_file`` into the environment; raise ConfigError."""
        if self.env_file is None:
            return
        try:
            from dotenv import load_dotenv
        except ImportError:
            text = "needs python-dotenv: pip install python-dotenv"
            raise ConfigError("env_file", text) from None
        load_dotenv(self.env_file)

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
