"""The log of bolide itself, and the access log."""
