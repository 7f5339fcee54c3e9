# SPDX-License-Identifier: MIT
"""The extensions of examples/c_app, which use only the header."""

from __future__ import annotations

import asyncio

import awaitable_probe as probe
import c_app
import c_await
import pytest


def test_a_c_function_awaits_a_python_function(capsys):
    async def func():
        await asyncio.sleep(0)
        return "result"

    assert asyncio.run(c_await.spam(func, "value")) == "result"
    assert capsys.readouterr().out == "value result\n"


def test_an_exception_of_the_python_function_propagates():
    async def func():
        raise OSError

    with pytest.raises(OSError):
        asyncio.run(c_await.spam(func, "value"))
    with pytest.raises(TypeError):
        c_await.spam(lambda: 1, "value")


def test_each_extension_has_its_own_copy_and_they_await_each_other():
    async def func():
        return (1, 2)

    aw = c_await.spam(func, 1)
    assert type(aw) is not probe.type()
    with pytest.raises(TypeError, match="a PyAwaitable is expected"):
        probe.set_result(aw, 1)
    assert asyncio.run(probe.keep(aw)) == (1, 2)


def ask(scope, *messages):
    """Run the application with ``messages`` to receive; return what it sends."""
    inbox, outbox = list(messages), []

    async def receive():
        await asyncio.sleep(0)
        return inbox.pop(0)

    async def send(message):
        await asyncio.sleep(0)
        outbox.append(message)

    asyncio.run(c_app.app(scope, receive, send))
    return outbox


def test_the_application_responds_with_a_greeting():
    head, body = ask({"type": "http", "method": "GET"})
    assert head == {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/plain")],
    }
    assert body == {"type": "http.response.body", "body": b"Hello from C\n"}


def test_the_application_echoes_a_body_in_parts():
    parts = [
        {"type": "http.request", "body": b"one ", "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"two", "more_body": False},
    ]
    _, body = ask({"type": "http", "method": "POST"}, *parts)
    assert body["body"] == b"one two"


def test_the_application_ends_when_the_client_disconnects():
    gone = {"type": "http.disconnect"}
    assert ask({"type": "http", "method": "POST"}, gone) == []


def test_the_application_supports_the_lifespan():
    sent = ask(
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_the_application_rejects_unknown_scopes():
    with pytest.raises(NotImplementedError):
        ask({"type": "websocket"})
    with pytest.raises(KeyError):
        ask({})
