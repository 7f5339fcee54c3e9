"""Python's loggers: which of them handle what is logged, and how.

Nothing here imports ``logging`` unless a configuration requests it. A program that has
not imported it cannot have configured a logger either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import logging

ERROR_LOGGERS = ("uvicorn.error", "bolide.error")
ACCESS_LOGGERS = ("uvicorn.access", "bolide.access")
INFO = 20


class Route(NamedTuple):
    """A logger, and how far ``logging`` is configured for it."""

    logger: logging.Logger
    is_whole: bool
    """Whether log_config has configured logging, so that its rules apply. Otherwise
    only this logger was configured: its level and filters decide, and if neither it
    nor a parent below the root has a handler, the line is written as without it.
    """

    def takes(self, level: int) -> bool:
        """Return whether records of ``level`` are created at all."""
        if self.logger.disabled:
            return False
        if self.is_whole:
            return self.logger.isEnabledFor(level)
        # The root's level does not apply: in uvicorn's own configuration nothing
        # propagates to it.
        levels = (x.level for x in self._below_root())
        return level >= next(filter(None, levels), 0)

    def log(
        self, level: int, text: str, args: tuple[Any, ...], error: Any,
        write: Callable[[], None],
    ) -> None:  # fmt: skip
        """Create a record, and pass it to handlers or else to ``write``.

        ``error`` is an exception or None. Raises what filters and handlers raise.
        """
        if not self.takes(level):
            return
        about = None
        if error is not None:
            about = (type(error), error, error.__traceback__)
        logger = self.logger
        record = logger.makeRecord(logger.name, level, "(bolide)", 0, text, args, about)
        if self.is_whole:
            logger.handle(record)
            return
        passed: Any = logger.filter(record)
        if not passed:
            return
        if not isinstance(
            passed, bool
        ):  # since Python 3.12 a filter may return another record
            record = passed
        handlers = [x for one in self._below_root() for x in one.handlers]
        for handler in handlers:
            if level >= handler.level:
                handler.handle(record)
        if not handlers:
            write()

    def _below_root(self) -> Iterator[logging.Logger]:
        one: logging.Logger | None = self.logger
        while one is not None and one.parent is not None:
            yield one
            one = one.parent if one.propagate else None


def _existing(name: str) -> logging.Logger | None:
    """Return a logger that already exists, or None."""
    logging = sys.modules.get("logging")
    if logging is None:
        return None
    found = logging.Logger.manager.loggerDict.get(name)
    return found if isinstance(found, logging.Logger) else None


def _is_set_up(logger: logging.Logger) -> bool:
    return bool(
        logger.filters or logger.handlers or logger.disabled
        or logger.level or not logger.propagate
    )  # fmt: skip


def find_route(names: tuple[str, ...]) -> Route | None:
    """Return the way to the logger among ``names`` that the program has configured.

    That is one with a filter, a handler or a level, or whose parent has one, such as
    "uvicorn" for "uvicorn.access".
    """
    for name in names:
        logger = _existing(name)
        if logger is not None and _is_set_up(logger):
            return Route(logger, False)
        parent = _existing(name.partition(".")[0])
        if parent is not None and _is_set_up(parent):
            return Route(sys.modules["logging"].getLogger(name), False)
    return None


class Routes(NamedTuple):
    """Where a configuration sends the log and the access log; None: not to logging."""

    error: Route | None
    access: Route | None


def configure(wanted: Any, level: int | None) -> Routes:
    """Configure Python's logging by ``Config.log_config``; raises as logging.config
    does.

    A file is JSON or YAML by its suffix, else it is read by
    ``logging.config.fileConfig``; None: it is already configured. ``level`` is set for
    both loggers unless it is None. They are "bolide.error" and "bolide.access", or
    uvicorn's if only these are configured.
    """
    import logging
    import logging.config

    logging.addLevelName(5, "TRACE")
    named = ""
    if isinstance(wanted, str):
        if wanted.endswith((".json", ".yaml", ".yml")):
            wanted = _read_table(wanted)
        else:
            with open(wanted, encoding="utf-8") as file:
                named = file.read()
            logging.config.fileConfig(wanted, disable_existing_loggers=False)
    elif wanted is not None and not isinstance(wanted, dict):
        logging.config.fileConfig(wanted, disable_existing_loggers=False)
    if isinstance(wanted, dict):
        named = " ".join(wanted.get("loggers", {}))
        logging.config.dictConfig(wanted)
    is_theirs = "uvicorn" in named and "bolide" not in named
    error = logging.getLogger("uvicorn.error" if is_theirs else "bolide.error")
    access = logging.getLogger(_access_name(named, is_theirs))
    if level is not None:
        error.setLevel(level)
        access.setLevel(level)
    return Routes(Route(error, True), Route(access, True))


def _access_name(named: str, is_theirs: bool) -> str:
    for name in reversed(ACCESS_LOGGERS):
        if name in named:
            return name
    if is_theirs:
        return "uvicorn.access"
    found = find_route(ACCESS_LOGGERS)
    return found.logger.name if found is not None else "bolide.access"


def _read_table(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        if path.endswith(".json"):
            import json

            return json.load(file)
        import yaml

        return yaml.safe_load(file)
