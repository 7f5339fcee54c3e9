"""bolide, a fast ASGI server: its engine is the C extension ``bolide._engine``.

``run(app)`` serves an application until a signal comes. ``Server(Config(app)).serve()``
is the same inside a loop that runs already.
"""

from __future__ import annotations

try:
    from bolide._engine import ClientDisconnected, LifespanError, TLSError
except ModuleNotFoundError as error:
    if error.name != "bolide._engine":
        raise
    raise ImportError(
        f"{__path__[0]} is bolide's source, which is not built there: "
        "start Python in another folder, where the installed bolide is found"
    ) from None
from bolide.config import Config
from bolide.errors import AppError, BindError, ConfigError
from bolide.server import Server
from bolide.start import run

__version__ = "0.1.0"

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


def __getattr__(name: str) -> object:
    """Return ``main``, the command, which is imported when it is asked for."""
    if name == "main":
        from bolide.cli import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_include() -> str:
    """Return the folder with ``pyawaitable.h``, for a C compiler's ``-I``."""
    import os

    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
