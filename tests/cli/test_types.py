"""A user's strictly checked file gets the types of everything that bolide exports."""

import subprocess
import sys

import pytest

import bolide

USER = """
import asyncio
import pathlib
from collections.abc import Callable
from typing import NoReturn, assert_type

import bolide


async def app(scope: dict[str, object], receive: object, send: object) -> None:
    raise bolide.ClientDisconnected


def settings() -> bolide.Config:
    return bolide.Config(
        "module:app",
        port=0,
        workers=2,
        ssl_certfile=[pathlib.Path("a.pem"), "b.pem"],
        ssl_keyfile=["a.key", "b.key"],
        headers=[("x-a", "1")],
    )


async def main() -> None:
    server = bolide.Server(settings())
    task = asyncio.create_task(server.serve())
    server.should_exit = True
    await task


def start() -> None:
    try:
        bolide.run(app, host="127.0.0.1", port=0)
    except (bolide.BindError, bolide.ConfigError, bolide.AppError) as error:
        assert_type(str(error), str)
    except bolide.TLSError:
        pass


assert_type(bolide.__version__, str)
assert_type(bolide.get_include(), str)
run: Callable[[], NoReturn] = bolide.main
"""

WRONG = """
import bolide

bolide.Config("module:app", port=[])
bolide.get_include(1)
bolide.nothing
"""


@pytest.fixture
def check(tmp_path):
    """Return a function that runs mypy --strict on a text and returns its lines."""
    pytest.importorskip("mypy")

    def lines(text):
        (tmp_path / "user.py").write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
        done = subprocess.run(
            [*command, "--no-error-summary", "user.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert not done.stderr
        return done.stdout.splitlines()

    return lines


def test_a_correct_file_passes_mypy_strict(check):
    assert check(USER) == []


def test_type_errors_in_a_file_are_found(check):
    found = check(WRONG)
    assert [x.split(":")[1] for x in found if " error: " in x] == ["4", "5", "6"]


def test_the_package_is_marked_as_typed():
    from importlib.resources import files

    assert (files(bolide) / "py.typed").is_file()
    assert (files(bolide) / "_engine.pyi").is_file()
