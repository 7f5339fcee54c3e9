"""``python -m bolide``: the same as the ``bolide`` command."""

from bolide.cli import main

main()
