"""The file with the pid of the process that serves."""

from __future__ import annotations

import contextlib
import os

from bolide.errors import ConfigError


class PidFile:
    """The file at ``path``, while it belongs to this process; None: there is none."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._owner = 0

    def write(self) -> None:
        """Write this process's pid; raise ConfigError if that fails."""
        if self._path is None:
            return
        own = os.getpid()
        try:
            # Not truncated first: a reader finds one pid or the other.
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            with open(fd, "wb", buffering=0) as file:
                text = b"%d\n" % own
                file.write(text)
                file.truncate(len(text))
        except OSError as problem:
            reason = f"cannot be written: {problem.strerror}: {self._path}"
            raise ConfigError("pid_file", reason) from None
        self._owner = own

    def remove(self) -> None:
        """Remove it unless a successor has replaced it; does nothing in other
        processes.
        """
        if self._path is None or self._owner != os.getpid():
            return
        with contextlib.suppress(OSError):
            with open(self._path, "rb") as file:
                is_own = file.read(32).strip() == b"%d" % self._owner
            if is_own:
                os.unlink(self._path)
