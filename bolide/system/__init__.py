"""Interfaces to the operating system and to this process."""
