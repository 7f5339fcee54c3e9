"""Applications that the commands of these tests serve."""

import asyncio
import os
import resource
import sys
import threading
import time

not_callable = 42


async def answer(send, body, status=200):
    fields = [(b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": fields}
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def read_body(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def hello(scope, receive, send):
    assert scope["type"] == "http"
    await answer(send, b"hello")


async def echo(scope, receive, send):
    """Answers with what it is asked."""
    assert scope["type"] == "http"
    body = await read_body(receive)
    words = [scope["method"], scope["root_path"], scope["path"], body.decode()]
    await answer(send, " ".join(words).encode())


ROOM = set()


async def room(scope, receive, send):
    """Tells all WebSockets what one of them says."""
    await receive()
    await send({"type": "websocket.accept"})
    ROOM.add(send)
    while (message := await receive())["type"] == "websocket.receive":
        for each in list(ROOM):
            await each({"type": "websocket.send", "text": message["text"]})
    ROOM.discard(send)


async def unread(scope, receive, send):
    """Answers without a look at the body."""
    assert scope["type"] == "http"
    await answer(send, b"unread")


async def endless(scope, receive, send):
    """Sends more than any peer reads."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    while True:
        body = {"type": "http.response.body", "body": b"x" * 65536, "more_body": True}
        await send(body)


async def loop_name(scope, receive, send):
    assert scope["type"] == "http"
    name = type(asyncio.get_running_loop()).__module__
    await answer(send, name.encode())


def wsgi(environ, start_response):
    """An application of WSGI that answers with what it is asked, in two pieces."""
    body = environ["wsgi.input"].read().decode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode()
    yield body.encode()


def make_loop():
    """Make a loop that tells that it is ours."""
    loop = asyncio.new_event_loop()
    loop.is_ours = True
    return loop


async def whose_loop(scope, receive, send):
    await answer(send, str(hasattr(asyncio.get_running_loop(), "is_ours")).encode())


async def raising(scope, receive, send):
    assert scope["type"] == "http"
    raise ValueError("no luck")


async def raising_what_it_was_sent(scope, receive, send):
    raise ValueError(scope["path"])


def create():
    return hello


def create_optional(settings=None):
    return hello


def create_nothing():
    return None


def create_broken():
    raise ValueError("no settings")


class Broken:
    def __init__(self):
        self.attribute = 1


def double(scope):
    """An application of ASGI 2.0."""

    async def instance(receive, send):
        await answer(send, b"double")

    return instance


def say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


async def slow(scope, receive, send):
    """Says that it has begun, answers after a while."""
    assert scope["type"] == "http"
    say("begun")
    await asyncio.sleep(0.3)
    await answer(send, b"finished")


async def pid(scope, receive, send):
    """Answers with the number of its process."""
    assert scope["type"] == "http"
    await answer(send, b"%d" % os.getpid())


async def pid_slowly(scope, receive, send):
    """Says that it has begun, answers with the number of its process after a while."""
    assert scope["type"] == "http"
    say("begun")
    await asyncio.sleep(0.5 * int(os.environ.get("PATIENCE", "1")))
    await answer(send, b"%d" % os.getpid())


async def dies(scope, receive, send):
    """Ends its process when it starts."""
    os._exit(7)


async def dies_after_start(scope, receive, send):
    """Ends its process when it starts, but for the first one."""
    if scope["type"] == "lifespan":
        try:
            os.close(os.open(os.environ["MARK"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            os._exit(7)
        asyncio.get_running_loop().call_later(0.2, os._exit, 7)


async def stuck(scope, receive, send):
    """Never answers, and says when it is cancelled."""
    assert scope["type"] == "http"
    say("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("cancelled")
        raise


async def stubborn(scope, receive, send):
    """Never answers, and cannot be cancelled."""
    assert scope["type"] == "http"
    say("begun")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            say("cancelled")


async def blocking(scope, receive, send):
    """Blocks the loop."""
    assert scope["type"] == "http"
    say("begun")
    time.sleep(600)


async def stream(scope, receive, send):
    """Streams until it hears that the peer, or the server, goes."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    message = await receive()
    while message["type"] == "http.request":
        message = await receive()
    say(f"heard {message['type']}")


async def leave_thread(scope, receive, send):
    """Leaves a thread behind that nothing ends."""
    assert scope["type"] == "http"
    threading.Thread(target=time.sleep, args=(600,), name="left").start()
    await answer(send, b"left")


async def lifespan(scope, receive, send):
    """Says what the lifespan does; SAYS in the environment is what it answers."""
    if scope["type"] != "lifespan":
        return await answer(send, repr(scope["state"]).encode())
    answers = os.environ.get("SAYS", "startup.complete shutdown.complete").split()
    scope["state"]["key"] = "value"
    for says in answers:
        message = await receive()
        say(message["type"])
        if says == "raise":
            raise ValueError("no database")
        if says == "hang":
            await asyncio.Event().wait()
        reply = {"type": f"lifespan.{says}"}
        if says.endswith("failed"):
            reply["message"] = "no database\nat db:5432"
        await send(reply)


async def starts_slowly(scope, receive, send):
    """Says when its startup begins and ends, and of its shutdown."""
    assert scope["type"] == "lifespan"
    await receive()
    say("migrating")
    try:
        await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        say("cancelled")
        raise
    if "FAILS" in os.environ:
        raise ValueError("no table")
    say("migrated")
    await send({"type": "lifespan.startup.complete"})
    say((await receive())["type"])
    await send({"type": "lifespan.shutdown.complete"})


async def lingering(scope, receive, send):
    """Takes WebSockets and requests, and never ends any."""
    assert scope["type"] in ("http", "websocket")
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    say("begun")
    await asyncio.Event().wait()


async def who(scope, receive, send):
    """Answers with who its process is: user, group, groups, umask."""
    assert scope["type"] == "http"
    umask = os.umask(0)
    os.umask(umask)
    groups = ",".join(map(str, sorted(os.getgroups())))
    ids = (*os.getresuid(), *os.getresgid())
    await answer(send, f"{ids} {groups} {umask:03o}".encode())


async def told(scope, receive, send):
    """Answers with what it is told of the client."""
    import json  # not all applications here shall need it

    assert scope["type"] == "http"
    fields = {k.decode(): v.decode() for k, v in scope["headers"]}
    found = {"client": scope["client"], "scheme": scope["scheme"], **fields}
    await answer(send, json.dumps(found).encode())


async def mirror(scope, receive, send):
    """A WebSocket that sends back what comes, until the client closes."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-mirror", b"yes")]})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def page_faults(scope, receive, send):
    """Answer with how many pages the kernel gives for 16 MiB that were freed before."""
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [b"x" * (65536 + n) for n in range(256)]
        blocks.clear()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    await answer(send, b"%d" % faults)
