"""bolide, a fast ASGI server whose engine is the C extension ``bolide._engine``.

``run(app)`` serves an application until a signal arrives, and
``Server(Config(app)).serve()`` does the same inside a running event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from bolide._engine import VERSION as __version__
    from bolide._engine import ClientDisconnected, LifespanError, TLSError
except ModuleNotFoundError as error:
    if error.name != "bolide._engine":
        raise
    raise ImportError(
        f"{__path__[0]} is bolide's source, which is not built there: "
        "start Python in another folder, where the installed bolide is found"
    ) from None
from bolide.config.config import Config
from bolide.errors import AppError, BindError, ConfigError
from bolide.run import run
from bolide.server import Server

__all__ = [
    "AppError",
    "BindError",
    "ClientDisconnected",
    "Config",
    "ConfigError",
    "LifespanError",
    "Server",
    "TLSError",
    "__version__",
    "get_include",
    "run",
]


if TYPE_CHECKING:
    from bolide.cli.main import main as main
else:

    def __getattr__(name: str) -> object:
        """Return ``main``, the command, which is imported when it is first used."""
        if name == "main":
            from bolide.cli.main import main

            return main
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_include() -> str:
    """Return the directory of ``pyawaitable.h``, for the ``-I`` of a C compiler."""
    import os

    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
