"""Full collections come less often while they find next to no garbage (--gc-adapt)."""

import gc
import subprocess
import sys

import pytest
from command import request, serve, talk
from crews import workers

from bolide.system.full_collections import (
    FEW,
    FIRST,
    GROWTH_BYTES,
    LONGEST_S,
    LOOK_S,
    MANY,
    MOST,
    Pacer,
)

DEFAULT = gc.get_threshold()

pytestmark = pytest.mark.skipif(
    DEFAULT[2] == 0, reason="this Python has no full collections"
)


class Paced:
    """A pacer in this process, with a memory and a clock that the test sets."""

    def __enter__(self):
        self.bytes, self.now = 100 << 20, 1000.0
        gc.collect()
        self.pacer = Pacer(lambda: self.bytes, lambda: self.now)
        assert self.pacer.begin()
        return self

    def __exit__(self, *_):
        self.pacer.end()
        gc.set_threshold(*DEFAULT)

    def times(self):
        """Return the interval of full collections, in intervals of Python."""
        assert gc.get_threshold()[:2] == DEFAULT[:2]
        return gc.get_threshold()[2] // DEFAULT[2]

    def look(self):
        """Run a collection after which the pacer may look at the process."""
        self.now += LOOK_S
        gc.collect(1)

    def find(self, count):
        """Run a full collection that finds about so many objects."""
        gc.disable()
        for _ in range(count):
            cycle = []
            cycle.append(cycle)
        del cycle
        gc.collect()
        gc.enable()


def test_the_interval_grows_up_to_a_limit_while_there_is_no_garbage():
    with Paced() as paced:
        assert paced.times() == FIRST
        gc.collect()
        assert paced.times() == 4 * FIRST
        for _ in range(10):
            gc.collect()
        assert paced.times() == MOST


def test_the_interval_stays_with_some_garbage_and_shrinks_with_much():
    with Paced() as paced:
        paced.find((FEW + MANY) // 2)
        assert paced.times() == FIRST
        paced.find(2 * MANY)
        assert paced.times() == FIRST // 4
        for _ in range(10):
            paced.find(2 * MANY)
        assert paced.times() == 1


def test_a_full_collection_is_due_when_the_process_has_grown():
    with Paced() as paced:
        paced.bytes += GROWTH_BYTES
        paced.look()
        assert paced.times() == FIRST
        paced.bytes += 1
        paced.look()
        assert paced.times() == 1
        gc.collect()
        assert paced.times() == 4 * FIRST
        paced.look()
        assert paced.times() == 4 * FIRST


def test_growth_counts_from_the_smallest_size_since_the_last_one():
    with Paced() as paced:
        paced.bytes -= 50 << 20
        paced.look()
        paced.bytes += GROWTH_BYTES + 1
        paced.look()
        assert paced.times() == 1


def test_the_memory_is_read_once_a_second():
    with Paced() as paced:
        paced.look()
        paced.bytes *= 3
        paced.now += LOOK_S / 2
        gc.collect(1)
        assert paced.times() == FIRST


def test_a_full_collection_is_due_after_a_time():
    with Paced() as paced:
        paced.now += LONGEST_S - LOOK_S
        paced.look()
        assert paced.times() == FIRST
        paced.look()
        assert paced.times() == 1
        gc.collect()
        assert paced.times() == 4 * FIRST


def test_the_thresholds_of_the_application_have_priority():
    with Paced() as paced:
        own = (DEFAULT[0] + 1, 5, 5)
        gc.set_threshold(*own)
        gc.collect()
        assert gc.get_threshold() == own
        paced.pacer.end()
        assert gc.get_threshold() == own


def test_a_threshold_that_the_application_has_not_set_becomes_that_of_python():
    with Paced():
        gc.set_threshold(50_000)
        gc.collect(1)
        assert gc.get_threshold() == (50_000, *DEFAULT[1:])


def test_thresholds_that_were_saved_and_set_again_are_adapted_further():
    with Paced() as paced:
        saved = gc.get_threshold()
        gc.set_threshold(0)
        gc.collect()
        gc.set_threshold(*saved)
        gc.collect()
        assert paced.times() == 4 * FIRST


def test_thresholds_that_were_set_before_have_priority():
    gc.set_threshold(10_000, 10, 10)
    try:
        assert not Pacer(lambda: 1, lambda: 0.0).begin()
        assert gc.get_threshold() == (10_000, 10, 10)
    finally:
        gc.set_threshold(*DEFAULT)


def test_the_end_restores_the_threshold_of_python():
    with Paced() as paced:
        paced.pacer.end()
        assert gc.get_threshold() == DEFAULT
        gc.collect()
        assert gc.get_threshold() == DEFAULT


@pytest.mark.parametrize("resident", [0, 100 << 20])
def test_it_needs_the_memory_of_the_process_and_an_enabled_collector(resident):
    if resident:
        gc.disable()
    try:
        assert not Pacer(lambda: resident, lambda: 0.0).begin()
    finally:
        gc.enable()
    assert gc.get_threshold() == DEFAULT


def threshold(command):
    """Return the threshold of full collections in a worker."""
    return int(talk(command.port(), request()).partition(b"\r\n\r\n")[2])


def test_processes_of_bolide_adapt():
    for server in (serve("threshold"), workers(1, "threshold")):
        with server as command:
            assert threshold(command) == FIRST * DEFAULT[2]


def test_the_option_leaves_the_thresholds_alone():
    with serve("threshold", "--no-gc-adapt") as command:
        assert threshold(command) == DEFAULT[2]


EMBEDDING = """
import gc
from bolide import Config, Server

seen = []

async def app(scope, receive, send):
    seen.append(gc.get_threshold()[2])
    server.should_exit = True

server = Server(Config(app, port=0, log_level="critical"))
server.run()
print(*seen)
"""


def test_an_embedding_program_keeps_its_thresholds():
    done = subprocess.run(
        [sys.executable, "-P", "-c", EMBEDDING], capture_output=True, text=True
    )
    assert done.stdout == f"{DEFAULT[2]}\n", done.stderr
