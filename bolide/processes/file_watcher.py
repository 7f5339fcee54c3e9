"""Reports which files change, in a separate process, as watchfiles starts threads."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

from bolide.config.config import Config
from bolide.processes.worker import Post, ignore_supervisors_signals

INCLUDES = ("*.py",)
EXCLUDES = (".*", ".py[cod]", ".sw.*", "~*")
"""Patterns of names that are watched and ignored, as in uvicorn."""

_STEP_MS = 20
"""Changes within this time of each other are reported together."""
_LOOK_MS = 100
_TOLD_BYTES = 3000


def texts_of(value: Iterable[str] | str | None) -> list[str]:
    """Return the texts of a setting that may be one, several or none."""
    return [value] if isinstance(value, str) else list(value or [])


def folders(config: Config) -> list[str]:
    """Return the folders to watch, none of which is inside another."""
    named = texts_of(config.reload_dirs)
    named += [x for x in texts_of(config.reload_includes) if os.path.isdir(x)]
    if not config.reload_dirs:
        named += [".", config.app_dir or "."]
    found = sorted({os.path.realpath(x) for x in named})
    return [
        x for x in found
        if not any(x != y and Path(x).is_relative_to(y) for y in found)
    ]  # fmt: skip


def files(config: Config) -> list[str]:
    """Return the files that are named individually, whether they exist or not."""
    excludes = texts_of(config.reload_excludes)
    return [
        os.path.join(os.path.realpath(os.path.dirname(x)), os.path.basename(x))
        for x in texts_of(config.reload_includes)
        if not os.path.isdir(x)
        and not any(y in x for y in "*?[")
        and ("/" in x or os.path.exists(x))
        and x not in excludes
    ]


def _stamps(paths: list[str]) -> dict[str, tuple[int, int, int] | None]:
    """Return a value that changes when one of the files changes."""
    found: dict[str, tuple[int, int, int] | None] = {}
    for path in paths:
        try:
            facts = os.stat(path)
            found[path] = facts.st_ino, facts.st_mtime_ns, facts.st_size
        except OSError:
            found[path] = None
    return found


class Filter:
    """Decides whether a change of a file causes a reload."""

    def __init__(self, config: Config) -> None:
        includes = texts_of(config.reload_includes)
        excludes = texts_of(config.reload_excludes)
        self._files = set(files(config))
        self._folders = [Path(x).resolve() for x in includes if os.path.isdir(x)]
        self._named = [x for x in includes if not os.path.isdir(x)]
        self._includes = [x for x in INCLUDES if x not in excludes] + self._named
        self._excludes = [x for x in EXCLUDES if x not in includes]
        self._excludes += [x for x in excludes if not os.path.isdir(x)]
        self._none = [Path(x).resolve() for x in excludes if os.path.isdir(x)]

    def __call__(self, text: str) -> bool:
        """Return whether the file at the path ``text`` is watched."""
        path = Path(text)
        if text in self._files:
            return True
        if any(path.is_relative_to(x) for x in self._none):
            return False
        if any(path.match(x) for x in self._excludes):
            # "*" does not match hidden files; ".env*" does.
            hidden = [x for x in self._named if Path(x).name.startswith((".", "~"))]
            return any(path.match(x) for x in hidden)
        if any(path.is_relative_to(x) for x in self._folders):
            return True
        return any(path.match(x) for x in self._includes)


def run_watcher(config: Config, post: Post, listeners: list[socket.socket]) -> int:
    """Send "watching", and then the paths of changed files, separated by NUL."""
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
    inside = folders(config)
    # For individually named files elsewhere only their folder's entries are watched.
    outside = [
        x for x in files(config) if not any(Path(x).is_relative_to(y) for y in inside)
    ]
    stamps = _stamps(outside)
    for changes in seen:
        if os.getppid() != parent:
            break
        if not has_told:
            post.control.send(b"watching")
            has_told = True
        paths = sorted({path for _, path in changes if is_wanted(path)})
        before, stamps = stamps, _stamps(outside)
        paths += [x for x in outside if stamps[x] != before[x]]
        if paths:
            post.control.send(os.fsencode("\0" + "\0".join(paths))[:_TOLD_BYTES])
    return 0
