"""Freed memory is kept for reuse (src/py/process.c)."""

import pytest
from command import request, serve, talk
from crews import workers

PAGES = (16 << 20) // 4096


def faults(command):
    """Return how many pages freed before have to be requested from the kernel again."""
    return int(talk(command.port(), request()).partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    "server",
    [
        lambda: serve("page_faults"),
        lambda: workers(1, "page_faults"),
        lambda: workers(1, "page_faults", "--preload"),
    ],
    ids=["alone", "workers", "preload"],
)
def test_freed_memory_is_kept(server):
    with server() as command:
        assert faults(command) < PAGES / 10


def test_most_memory_is_kept_when_more_is_freed_than_that():
    """Returning all of it at once would stop the loop for 5 ms."""
    with serve("page_faults_after_more") as command:
        assert faults(command) < PAGES / 10


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["--keep-freed-memory", "0"], {}),
        ([], {"MALLOC_TRIM_THRESHOLD_": "131072"}),
        ([], {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}),
    ],
    ids=["option", "environment", "tunables"],
)
def test_settings_of_the_user_are_kept(words, env):
    with serve("page_faults", *words, env=env) as command:
        assert faults(command) > PAGES / 2
