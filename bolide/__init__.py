"""bolide, a fast ASGI server: its engine is the C extension ``bolide._engine``."""

from __future__ import annotations

from bolide.config import Config, ConfigError
from bolide.server import Server, run

__version__ = "0.1.0"

__all__ = ["Config", "ConfigError", "Server", "__version__", "get_include", "run"]


def get_include() -> str:
    """Return the folder with ``pyawaitable.h``, for a C compiler's ``-I``."""
    import os

    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
