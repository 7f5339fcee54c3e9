"""The identity of the process: user and group of applications, and the umask."""

from __future__ import annotations

import os

from bolide.config.config import Config
from bolide.config.identity import group_number, numbers, user_number
from bolide.errors import ConfigError


def check(config: Config) -> None:
    """Raise ConfigError if this process cannot become what ``config`` requests."""
    for name, find in (("user", user_number), ("group", group_number)):
        wanted = getattr(config, name)
        if wanted is None:
            continue
        found = find(wanted)
        number = found[0] if isinstance(found, tuple) else found
        own = os.geteuid() if name == "user" else os.getegid()
        if number != own and os.geteuid() != 0:
            raise ConfigError(name, f'cannot be "{wanted}": only root may change it')


def drop(config: Config) -> None:
    """Become the user and group that ``config`` requests, permanently; ConfigError.

    A user without a group gets its own groups.
    """
    uid, gid = numbers(config.user, config.group)
    name = None if config.user is None else user_number(config.user)[1]
    if os.geteuid() != 0:
        return
    if gid != -1:
        os.setgroups([gid])
        os.setgid(gid)
        if name is not None:
            os.initgroups(name, gid)
    if uid != -1:
        os.setuid(uid)
