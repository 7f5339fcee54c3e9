"""The rows of the table of settings: all, those with a limit, and in their order."""

from __future__ import annotations

from bolide.config.groups import GROUPS
from bolide.config.setting import Setting
from bolide.config.table import Settings

SETTINGS = Settings.rows
"""All settings, in the order of the table."""

LIMITS = tuple(x for x in SETTINGS if x.is_limit)
"""The limits of the engine; docs/LIMITS.md describes the effect of each."""


def in_order(rows: tuple[Setting, ...] = SETTINGS) -> list[Setting]:
    """Return those of ``rows`` that have options, in the order of the documents."""
    found: list[Setting] = []
    for group in GROUPS:
        mine = [x for x in rows if x.group == group]
        found += [x for x in mine if not x.after]
        for row in [x for x in mine if x.after]:
            names = [x.name for x in found]
            found.insert(names.index(row.after) + 1, row)
    return found
