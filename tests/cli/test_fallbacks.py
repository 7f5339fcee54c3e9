"""The replacements for calls that only Linux has."""

import os
import socket
import sys
import threading

import pytest

from bolide.system import fallbacks, fork_hooks


@pytest.mark.parametrize("has_eventfd", [True, False])
def test_a_wakeup_returns_the_waiting_message(monkeypatch, has_eventfd):
    if not has_eventfd:
        monkeypatch.delattr(os, "eventfd")
    wakeup = fallbacks.Wakeup()
    thread = threading.Thread(target=wakeup.wait)
    thread.start()
    wakeup.wake()
    thread.join(30)
    assert not thread.is_alive()


def test_a_wakeup_without_a_reader_never_blocks(monkeypatch):
    monkeypatch.delattr(os, "eventfd")
    wakeup = fallbacks.Wakeup()
    for _ in range(20000):
        wakeup.wake()
    wakeup.wait()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_messages_keep_their_boundaries(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    ours, theirs = fallbacks.message_pair()
    with ours, theirs:
        theirs.send(b"one")
        theirs.send(b"two")
        assert (ours.recv(100), ours.recv(100)) == (b"one", b"two")
        ours.send(b"three")
        assert theirs.recv(100) == b"three"
        is_datagram = ours.type & 0xF == socket.SOCK_DGRAM
        assert is_datagram == (platform == "darwin")


def test_cpus_are_counted_without_an_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert fallbacks.usable_cpus() == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert fallbacks.usable_cpus() == 1


def test_descriptors_are_counted_without_a_folder_that_lists_them(monkeypatch):
    def fails(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "listdir", fails)
    assert fallbacks.own_descriptors() == []
    fork_hooks.guard(lambda: None)()
