#!/usr/bin/env python3
"""Checks the direction of dependencies: an include refers to the same layer or a lower
one.

So does an import of the Python package. engine_layers.py and package_layers.py define
the layers, and find cycles. With --draw it prints the layers instead.
"""

import sys

import engine_layers
import package_layers


def main() -> None:
    """Check every file below src/ and bolide/; exit with 1 if a dependency points
    up.
    """
    if sys.argv[1:] == ["--draw"]:
        print("\n".join([*engine_layers.drawing(), "", *package_layers.drawing()]))
        return
    found = engine_layers.problems() + package_layers.problems()
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)


main()
