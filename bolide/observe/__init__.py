"""Counters and monitoring of a running server."""
