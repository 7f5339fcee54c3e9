# SPDX-License-Identifier: MIT
"""Reads arbitrary settings: TOML files, binds, addresses, users.

Each text is accepted, or rejected with one of the errors that the command prints as one
line; no other exception may be raised. Accepted settings stay the same when they are
written and read again.

usage: settings.py [--runs N | --seconds N] [--seed S]
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

from bolide.cli.sources import UsageError, _read_file
from bolide.config.addresses import parse_statsd
from bolide.config.binds import Bind, parse_bind, parse_binds, split_binds
from bolide.config.config import Config
from bolide.config.identity import group_number, user_number
from bolide.errors import ConfigError

TOML = [
    'bind = ["127.0.0.1:8000", "unix:/run/a.sock,mode=660"]\nworkers = 2\n',
    'app = "a:b"\nlimit-head = "64k"\ntimeout_keep_alive = 2.5\nproxy-headers = true\n',
    '[tool.bolide]\napp = "a:b"\nbind = "[::1]:80,tls"\n[tool.other]\nx = 1\n',
    'headers = ["x-a: b", "y: z"]\naccess-log-format = "%(m)s"\n[env]\nA = "1"\n',
    'forwarded-allow-ips = ["10.0.0.0/8", "::1"]\nlog-level = "info"\n',
    "[tool]\nbolide = 3\n",
    "tool = 1\n",
    "port = 99999999999999999999\nlimit-body = -1\ntimeout-body = nan\n",
]
BINDS = [
    "127.0.0.1:8000",
    "[::1]:443,tls",
    ":80,plain",
    "unix:/run/a.sock,mode=660,owner=a:b",
    "unix:@name",
    "fd://3,proxy-protocol=v2",
    "systemd:web,tls",
    "example.org",
    "a:1 b:2,c:3,tls,unix:/x",
    "127.0.0.1:8125",
    "fd://" + "9" * 5000,
    "a:" + "1" * 5000,
]
MARKS = "\n\r\t \"'=[]{}:,.#-_/\\@%0189azAZ\0\x7f\u00e9\u0663\U0001f600"


def read_toml(name: str, text: str) -> None:
    """Read a file, and check its values as a Config does."""
    given = _read_file(name, text)
    values = {key: one.value for key, one in given.items() if key != "app"}
    Config("module:app", **values)


def read_bind(text: str) -> None:
    """Read a bind, format its meaning, and read that."""
    bind = parse_bind(text)
    assert isinstance(bind, Bind)
    assert bind.kind in ("tcp", "unix", "fd", "systemd")
    assert 0 <= bind.port <= 65535
    bind.flags()
    assert parse_bind(bind.text) == bind
    if bind.kind == "tcp" and "," not in text and bind.host.isascii():
        host = f"[{bind.host}]" if ":" in bind.host else bind.host
        again = parse_bind(f"{host}:{bind.port}")
        assert (again.host, again.port) == (bind.host, bind.port)


def read_binds(text: str) -> None:
    """Read a list of binds."""
    parts = split_binds(text)
    assert all(part == "" or not part.isspace() for part in parts)
    parse_binds(parts)


def read_statsd(text: str) -> None:
    """Read the address of a statsd server."""
    host, port = parse_statsd(text)
    assert isinstance(host, str)
    assert 0 <= port <= 65535


def read_user(text: str) -> None:
    """Read a user and a group."""
    user_number(text)
    group_number(text)


def read_proxies(text: str) -> None:
    """Read trusted networks."""
    Config("module:app", forwarded_allow_ips=text)


READERS: list[tuple[str, Callable[[str], None], list[str]]] = [
    ("bolide.toml", lambda text: read_toml("bolide.toml", text), TOML),
    ("pyproject.toml", lambda text: read_toml("pyproject.toml", text), TOML),
    ("bind", read_bind, BINDS),
    ("binds", read_binds, BINDS),
    ("statsd", read_statsd, BINDS),
    ("user", read_user, ["root", "0", "4294967295", "65534", "9" * 5000]),
    ("proxies", read_proxies, ["10.0.0.0/8,::1", "*", "unix", "a b,,c"]),
]


def mutation(rng: random.Random, corpus: list[str]) -> str:
    """Return a text of the corpus with a few characters changed."""
    text = rng.choice(corpus)
    for _ in range(rng.randint(0, 4)):
        at = rng.randint(0, len(text))
        match rng.randrange(5):
            case 0:
                text = text[:at] + rng.choice(MARKS) + text[at + 1 :]
            case 1:
                text = text[:at] + rng.choice(MARKS) + text[at:]
            case 2:
                text = text[:at] + text[at + rng.randint(1, 6) :]
            case 3:
                text = text[:at] + rng.choice(MARKS) * rng.choice((2, 70, 2000))
            case _:
                other = rng.choice(corpus)
                start = rng.randint(0, len(other))
                text = text[:at] + other[start : start + rng.randint(1, 40)] + text[at:]
    return text


def inputs(
    rng: random.Random, runs: int, seconds: int | None
) -> Iterator[tuple[str, Callable[[str], None], str]]:
    """Yield the corpora, then `runs` mutations, or as many as `seconds` allow."""
    for name, read, corpus in READERS:
        for text in corpus:
            yield name, read, text
    end = time.monotonic() + (seconds or 0)
    run = 0
    while run < runs if seconds is None else time.monotonic() < end:
        name, read, corpus = rng.choice(READERS)
        yield name, read, mutation(rng, corpus)
        run += 1


def main() -> int:
    """Read all inputs; return 0 if only the allowed errors were raised."""
    parser = argparse.ArgumentParser(description="Read settings of any text.")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    kinds: Counter[str] = Counter()
    for name, read, text in inputs(random.Random(args.seed), args.runs, args.seconds):
        try:
            read(text)
            kinds[f"{name}: taken"] += 1
        except (ConfigError, UsageError) as error:
            kinds[f"{name}: refused"] += 1
            assert str(error)
        except Exception as error:  # noqa: BLE001: it is what we look for
            kinds["broken"] += 1
            if kinds["broken"] <= 20:
                print(f"{name}: {text[:200]!r}\n    {type(error).__name__}: {error}")
    for kind, count in sorted(kinds.items()):
        print(f"{count:8} {kind}")
    return 1 if kinds["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
