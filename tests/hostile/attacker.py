"""The process of the attackers.

usage: attacker.py ROW PORT short|full

Prints a line when it is ready, then reads a line with the windows in which to attack,
as ``from-to`` in seconds of CLOCK_MONOTONIC. At the end it prints the fate of the
connections as JSON.
"""

import json
import resource
import sys
import time

from quic_attacks import Crowd, Flood
from rows import ROWS
from swarm import Swarm


def main(words):
    """Attack in each window and print the result."""
    name, port, form = words
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (row,) = (row for row in ROWS if row.name == name)
    is_short = form == "short"
    count = row.short if is_short and row.short else row.count
    script = row.script(is_short)
    if row.port != "quic":
        swarm = Swarm(int(port), script, count, row.again, row.judge)
        swarm.small, swarm.pace = row.small, 0 if is_short else row.pace
    elif callable(script):
        swarm = Flood(int(port), script)
    else:
        swarm = Crowd(int(port), script, count, row.again)
    held = 0
    print("ready", flush=True)
    for window in sys.stdin.readline().split():
        begin, end = map(float, window.split("-"))
        time.sleep(max(0, begin - time.monotonic()))
        held = max(held, swarm.run(end))
    print(json.dumps({
        "opened": swarm.opened, "most": swarm.most, "held": held, "cuts": swarm.cuts,
        "first": swarm.first_cut, "last": swarm.last_cut, "sent": swarm.sent,
    }))  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
