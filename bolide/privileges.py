"""Who the process is: the user and group that applications run as, and the umask."""

from __future__ import annotations

import os

from bolide.config import Config
from bolide.errors import ConfigError


def user_number(name: str) -> tuple[int, str | None]:
    """Return the number of a user, and its name where it has one; ConfigError."""
    import pwd

    try:
        entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        if name.isdecimal():
            return int(name), None
        raise ConfigError("user", f'is no user here: "{name}"') from None
    return entry.pw_uid, entry.pw_name


def group_number(name: str) -> int:
    """Return the number of a group; raise ConfigError."""
    import grp

    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError("group", f'is no group here: "{name}"') from None


def numbers(config: Config) -> tuple[int, int]:
    """Return the user and group that ``config`` asks for; -1: none; ConfigError."""
    uid, name = (-1, None) if config.user is None else user_number(config.user)
    if config.group is not None:
        return uid, group_number(config.group)
    if name is None:
        return uid, -1
    import pwd

    return uid, pwd.getpwnam(name).pw_gid


def check(config: Config) -> None:
    """Raise ConfigError when this process cannot become what ``config`` asks for."""
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
    """Become the user and group that ``config`` asks for, for good; ConfigError.

    A user without a group brings its own groups.
    """
    uid, gid = numbers(config)
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
