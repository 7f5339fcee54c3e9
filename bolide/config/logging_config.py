"""A default configuration of Python's logging, as a starting point."""

from __future__ import annotations

from typing import Any

LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": "bolide.logs.formatters.DefaultFormatter",
            "fmt": "%(asctime)s %(levelname)-8s %(message)s",
            "use_colors": None,
        },
        "access": {
            "()": "bolide.logs.formatters.AccessFormatter",
            "fmt": '%(asctime)s %(client_addr)s - "%(request_line)s" %(status_code)s',
            "use_colors": None,
        },
    },
    "handlers": {
        "default": {
            "class": "logging.StreamHandler",
            "formatter": "default",
            "stream": "ext://sys.stderr",
        },
        "access": {
            "class": "logging.StreamHandler",
            "formatter": "access",
            "stream": "ext://sys.stdout",
        },
    },
    "loggers": {
        "bolide": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "bolide.error": {"level": "INFO"},
        "bolide.access": {
            "handlers": ["access"],
            "level": "INFO",
            "propagate": False,
        },
    },
}
"""A default configuration of Python's logging, with the formatters and handlers of
uvicorn's. While a Config has it unchanged, logging is not configured, and is used
only if the program has configured a logger of bolide or uvicorn.
"""
