"""Shows that requests, connections and clients leave nothing allocated: `make leaks`.

usage: run.py [--count N] [--seconds S] [KIND ...]   KIND: a part of a load's name

Each load runs a tenth of N times first, then N times or for S seconds. RSS, bytes of
malloc, Python objects, descriptors and tasks are compared.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1] / "asgi"))
sys.path.insert(1, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(1, str(Path(__file__).parents[1] / "http2"))
sys.path.insert(1, str(Path(__file__).parents[1] / "tls"))

from authority import Authority
from keeping import grow
from loads import LOADS

COUNT, SECONDS = 100_000, 600


def main():
    """Run the loads; return whether anything is left."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("kinds", nargs="*")
    asked = parser.parse_args()
    names = [x for x in LOADS if all(k in x for k in asked.kinds)]
    print("| what | times | RSS | grew by | malloc, bytes | objects | fds | tasks |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    leaks = []
    with tempfile.TemporaryDirectory() as folder:
        cert = Authority(Path(folder), "Leaks").issue("localhost", "DNS:localhost")
        for name in names:
            growth = grow(name, cert, asked.count, asked.seconds)
            print(growth.row(), flush=True)
            leaks += [f"{name}: {x}" for x in growth.leaks()]
    print("\n".join(leaks), file=sys.stderr)
    return bool(leaks)


if __name__ == "__main__":
    sys.exit(main())
