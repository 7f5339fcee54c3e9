"""Users and groups by name or number."""

from __future__ import annotations

from bolide.config.value_types import decimal
from bolide.errors import ConfigError

NUMBERS = (1 << 32) - 1
"""Numbers of users and groups are below this one, which means none (setresuid(2))."""


def user_number(name: str) -> tuple[int, str | None]:
    """Return the number of a user, and its name if it has one; raise ConfigError."""
    import pwd

    number = decimal(name)
    try:
        entry = pwd.getpwnam(name) if number is None else pwd.getpwuid(number)
    except (KeyError, ValueError, OverflowError):
        if number is not None and number < NUMBERS:
            return number, None
        raise ConfigError("user", f'is not a user of this system: "{name}"') from None
    return entry.pw_uid, entry.pw_name


def group_number(name: str) -> int:
    """Return the number of a group; raise ConfigError."""
    import grp

    number = decimal(name)
    if number is not None and number < NUMBERS:
        return number
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise ConfigError("group", f'is not a group of this system: "{name}"') from None


def numbers(user: str | None, group: str | None) -> tuple[int, int]:
    """Return the numbers of a user and a group; -1: not given. Raises ConfigError."""
    uid, name = (-1, None) if user is None else user_number(user)
    if group is not None:
        return uid, group_number(group)
    if name is None:
        return uid, -1
    import pwd

    return uid, pwd.getpwnam(name).pw_gid
