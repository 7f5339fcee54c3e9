#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cost of an await from C, compared with a native coroutine and the package
pyawaitable.

Prints nanoseconds: the minimum of several rounds, in which the subjects take turns. `by
send` is how a Task drives a coroutine, `by await` how a coroutine does. The package is
measured if it is installed.
"""

from __future__ import annotations

import asyncio
import importlib
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
OURS = HERE.parents[1] / "src" / "awaitable"
ROUNDS = 9
CALLS = 50_000
CHAIN_LENGTH = 100


def build(name: str, include: Path, out: Path, *flags: str) -> ModuleType:
    """Compile the C functions against the header in `include` and import them."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    command = [
        compiler[0],
        *("-std=gnu11", "-O2", "-DNDEBUG", "-w", "-fPIC", "-shared"),
        *(f"-DBENCH_NAME={name}", *flags),
        *(f"-I{include}", f"-I{sysconfig.get_path('include')}"),
        *(str(HERE / "awaitable_bench.c"), "-o", str(out / f"{name}{suffix}")),
    ]
    subprocess.run(command, check=True)
    return importlib.import_module(name)


def modules(out: Path) -> dict[str, ModuleType]:
    """Build the modules to compare."""
    sys.path.insert(0, str(out))
    found = {"bolide": build("awaitable_bench", OURS, out)}
    try:
        import pyawaitable
    except ImportError:
        return found
    include = Path(pyawaitable.include())
    found["pyawaitable"] = build("package_bench", include, out)
    return found


async def value() -> int:
    """Return without suspending."""
    return 1


async def empty() -> None:
    """Do nothing."""


async def one(coro: Any) -> Any:
    """Await once and return the result."""
    return await coro


async def chain(done: Any) -> None:
    """Await the same future many times."""
    for _ in range(CHAIN_LENGTH):
        await done


async def awaiting(make: Callable[[], Any], calls: int) -> None:
    """Await the results of `make` repeatedly."""
    for _ in range(calls):
        await make()


async def eager(make: Callable[[], Any], calls: int) -> None:
    """Run the results of `make` in eager Tasks."""
    loop = asyncio.get_running_loop()
    for _ in range(calls):
        asyncio.Task(make(), loop=loop, eager_start=True)


def measure(subjects: dict[str, Callable[[], Any]], units: int) -> list[str]:
    """Return the nanoseconds per unit for each subject."""
    best = dict.fromkeys(subjects, float("inf"))
    for _ in range(ROUNDS):
        for name, work in subjects.items():
            begin = time.perf_counter_ns()
            work()
            best[name] = min(best[name], (time.perf_counter_ns() - begin) / units)
    return [f"{ns:8.0f}" for ns in best.values()]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as out:
        found = modules(Path(out))
    native: dict[str, Any] = {"empty": empty, "one": one, "chain": chain}
    drive = found["bolide"].drive
    run = asyncio.Runner().run
    done = run(value_future())
    subjects = {"native": native} | {name: vars(mod) for name, mod in found.items()}

    print(
        f"Python {sys.version.split()[0]}, ns{'':20}", *(f"{n:>12}" for n in subjects)
    )

    def row(title: str, units: int, work: Callable[[dict[str, Any]], Any]) -> None:
        times = measure({n: lambda f=f: work(f) for n, f in subjects.items()}, units)
        print(f"{title:36}", *(f"{ns:>12}" for ns in times))

    row("empty, by send", CALLS, lambda f: drive(f["empty"], None, CALLS))
    row("empty, by await", CALLS, lambda f: run(awaiting(f["empty"], CALLS)))
    row("one with a callback, by send", CALLS, lambda f: drive(f["one"], value, CALLS))
    row(
        "one with a callback, by await",
        CALLS,
        lambda f: run(awaiting(lambda: f["one"](value()), CALLS)),
    )
    chains = CALLS // CHAIN_LENGTH
    row(
        f"each of a chain of {CHAIN_LENGTH}, by send",
        chains * CHAIN_LENGTH,
        lambda f: drive(f["chain"], lambda: done, chains),
    )
    if sys.version_info >= (3, 12):
        row(
            "one in an eager Task",
            CALLS // 10,
            lambda f: run(eager(lambda: f["one"](value()), CALLS // 10)),
        )


async def value_future() -> asyncio.Future[int]:
    """Return a future that is already done."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    return future


if __name__ == "__main__":
    main()
