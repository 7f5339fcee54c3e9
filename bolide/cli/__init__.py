"""The ``bolide`` command."""
