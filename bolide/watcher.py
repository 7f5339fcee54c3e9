"""Tells which files change: a process of its own, for watchfiles starts threads."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

from bolide.config import Config
from bolide.worker import Post, ignore_supervisors_signals

INCLUDES = ("*.py",)
EXCLUDES = (".*", ".py[cod]", ".sw.*", "~*")
"""Patterns of names that are looked at, and that are not, as uvicorn has them."""

_STEP_MS = 20
"""Changes that come within this time of each other are told at once."""
_LOOK_MS = 100
_TOLD_BYTES = 3000


def texts_of(value: Iterable[str] | str | None) -> list[str]:
    """Return the texts of a setting that may be one, some or none."""
    return [value] if isinstance(value, str) else list(value or [])


def folders(config: Config) -> list[str]:
    """Return the folders that are watched, none of which is inside another."""
    named = texts_of(config.reload_dirs)
    named += [x for x in texts_of(config.reload_includes) if os.path.isdir(x)]
    if not config.reload_dirs:
        named += [".", config.app_dir or "."]
    found = sorted({os.path.realpath(x) for x in named})
    return [
        x for x in found
        if not any(x != y and Path(x).is_relative_to(y) for y in found)
    ]  # fmt: skip


class Filter:
    """Tells whether a change of a file is one to reload for."""

    def __init__(self, config: Config) -> None:
        includes = texts_of(config.reload_includes)
        excludes = texts_of(config.reload_excludes)
        self._includes = [x for x in INCLUDES if x not in excludes]
        self._includes += [x for x in includes if not os.path.isdir(x)]
        self._excludes = [x for x in EXCLUDES if x not in includes]
        self._excludes += [x for x in excludes if not os.path.isdir(x)]
        self._none = [Path(x).resolve() for x in excludes if os.path.isdir(x)]

    def __call__(self, text: str) -> bool:
        """Return whether the file at the path ``text`` is wanted."""
        path = Path(text)
        if any(path.is_relative_to(x) for x in self._none):
            return False
        if any(path.match(x) for x in self._excludes):
            return path.name in self._includes
        return any(path.match(x) for x in self._includes)


def run_watcher(config: Config, post: Post, listeners: list[socket.socket]) -> int:
    """Tell "watching", and then the paths of what changes, with NUL between them."""
    import watchfiles

    ignore_supervisors_signals()
    for sock in listeners:
        sock.close()
    parent = os.getppid()
    is_wanted = Filter(config)
    seen = watchfiles.watch(
        *folders(config),
        watch_filter=None,
        step=_STEP_MS,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )
    has_told = False
    for changes in seen:
        if os.getppid() != parent:
            break
        if not has_told:
            post.control.send(b"watching")
            has_told = True
        paths = sorted({path for _, path in changes if is_wanted(path)})
        if paths:
            post.control.send(os.fsencode("\0" + "\0".join(paths))[:_TOLD_BYTES])
    return 0
