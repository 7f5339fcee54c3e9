"""bolide.webtransport: sessions by path, and an application for requests."""

import subprocess
import sys

import pytest
from serving import answer
from talking_h3 import Quic
from talking_wt import WtQuic, WtServed

from bolide.webtransport import Router


async def page(scope, receive, send):
    assert scope["type"] == "http"
    await answer(send, b"a page")


@pytest.fixture
def router():
    """Return a router with a chat, whose streams and datagrams are echoed."""
    app = Router(page)

    @app.session("/chat/{room}")
    async def chat(session):
        await session.accept()
        await session.send_datagram(session.path_params["room"].encode())
        async for message in session:
            if message["type"] == "webtransport.stream.receive":
                await session.send(message["stream"], message["data"], True)

    @app.session("/closed")
    async def closed(session):
        await session.accept([(b"x-room", b"none")])
        await session.close(3, "closed")

    return app


def test_sessions_are_routed_by_their_path(localhost, router):
    with WtServed(router, localhost) as served, WtQuic(served.place) as quic:
        session = quic.connect("/chat/two%20words")
        quic.until(session.datagrams)
        assert session.datagrams() == [b"two words"]
        assert quic.finish(session.open(b"hi", ends=True)).body == b"hi"
        other = quic.connect("/closed")
        assert other.request.field(b"x-room") == b"none"
        assert other.closed() == (3, b"closed")
        assert quic.connect("/chat/a/b").request.status == 404


def test_requests_reach_the_application(localhost, router):
    with WtServed(router, localhost) as served, Quic(served.place) as quic:
        assert quic.get("/chat/x").body == b"a page"


def test_a_path_begins_with_a_slash(router):
    with pytest.raises(ValueError, match="begins with"):
        router.session("chat")


def test_no_framework_is_imported():
    code = "import bolide.webtransport, sys; print('starlette' in sys.modules)"
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert out == "False\n"
