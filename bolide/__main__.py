"""``python -m bolide``: the same as the ``bolide`` command."""

from bolide.cli.main import main

main()
