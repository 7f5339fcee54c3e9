"""Applications that the commands of these tests serve."""

import asyncio
import os
import resource
import subprocess
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
    """Respond with the request."""
    assert scope["type"] == "http"
    body = await read_body(receive)
    words = [scope["method"], scope["root_path"], scope["path"], body.decode()]
    await answer(send, " ".join(words).encode())


ROOM = set()


async def room(scope, receive, send):
    """Send each message of a WebSocket to all WebSockets."""
    await receive()
    await send({"type": "websocket.accept"})
    ROOM.add(send)
    while (message := await receive())["type"] == "websocket.receive":
        for each in list(ROOM):
            await each({"type": "websocket.send", "text": message["text"]})
    ROOM.discard(send)


async def orphan(scope, receive, send):
    """Respond with the number of a process whose parent has ended."""
    if scope["type"] == "http":
        code = "sleep 60 >/dev/null & echo $!"
        await answer(send, subprocess.check_output(["sh", "-c", code]).strip())


async def unread(scope, receive, send):
    """Respond without reading the body."""
    assert scope["type"] == "http"
    await answer(send, b"unread")


async def endless(scope, receive, send):
    """Send more than any peer reads."""
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
    """A WSGI application that responds with the request, in two parts."""
    body = environ["wsgi.input"].read().decode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode()
    yield body.encode()


def make_loop():
    """Return a loop that is recognizable as ours."""
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
    """Print that it has begun, and respond after a while."""
    assert scope["type"] == "http"
    say("begun")
    await asyncio.sleep(0.3)
    await answer(send, b"finished")


async def pid(scope, receive, send):
    """Respond with the pid of its process."""
    assert scope["type"] == "http"
    await answer(send, b"%d" % os.getpid())


async def pid_slowly(scope, receive, send):
    """Print that it has begun, and respond with its pid after a while."""
    assert scope["type"] == "http"
    say("begun")
    await asyncio.sleep(0.5 * int(os.environ.get("PATIENCE", "1")))
    await answer(send, b"%d" % os.getpid())


async def pid_after(scope, receive, send):
    """Respond with its pid, once the file named in the query exists."""
    assert scope["type"] == "http"
    path = scope["query_string"].decode()
    if path:
        say("begun")
    while path and not os.path.exists(path):
        await asyncio.sleep(0.01)
    await answer(send, b"%d" % os.getpid())


async def dies(scope, receive, send):
    """End its process when it starts."""
    os._exit(7)


async def dies_after_start(scope, receive, send):
    """End its process when it starts, except for the first one."""
    if scope["type"] == "lifespan":
        try:
            os.close(os.open(os.environ["MARK"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            os._exit(7)
        asyncio.get_running_loop().call_later(0.2, os._exit, 7)


async def stuck(scope, receive, send):
    """Never respond, and print when it is cancelled."""
    assert scope["type"] == "http"
    say("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("cancelled")
        raise


async def stubborn(scope, receive, send):
    """Never respond, and ignore cancellation."""
    assert scope["type"] == "http"
    say("begun")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            say("cancelled")


async def blocking(scope, receive, send):
    """Block the loop."""
    assert scope["type"] == "http"
    say("begun")
    time.sleep(600)


async def stream(scope, receive, send):
    """Stream until the client disconnects or the server stops."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    message = await receive()
    while message["type"] == "http.request":
        message = await receive()
    say(f"received {message['type']}")


async def leave_thread(scope, receive, send):
    """Leave a thread behind that never ends."""
    assert scope["type"] == "http"
    threading.Thread(target=time.sleep, args=(600,), name="left").start()
    await answer(send, b"left")


async def lifespan(scope, receive, send):
    """Print the lifespan events; SAYS in the environment is how it replies."""
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
    """Print when its startup begins and ends, and when it shuts down."""
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
    """Accept WebSockets and requests, and never end any of them."""
    assert scope["type"] in ("http", "websocket")
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    say("begun")
    await asyncio.Event().wait()


async def who(scope, receive, send):
    """Respond with the identity of its process: user, group, groups, umask."""
    assert scope["type"] == "http"
    umask = os.umask(0)
    os.umask(umask)
    groups = ",".join(map(str, sorted(os.getgroups())))
    ids = (*os.getresuid(), *os.getresgid())
    await answer(send, f"{ids} {groups} {umask:03o}".encode())


async def told(scope, receive, send):
    """Respond with what the scope says about the client."""
    import json  # imported here because only some applications need it

    assert scope["type"] == "http"
    fields = {k.decode(): v.decode() for k, v in scope["headers"]}
    found = {"client": scope["client"], "scheme": scope["scheme"], **fields}
    await answer(send, json.dumps(found).encode())


async def mirror(scope, receive, send):
    """A WebSocket that echoes messages until the client closes."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-mirror", b"yes")]})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def frozen(scope, receive, send):
    """Respond with the number of objects that the garbage collector never visits."""
    import gc  # imported here because only some applications need it

    await answer(send, b"%d" % gc.get_freeze_count())


async def threshold(scope, receive, send):
    """Respond with the threshold of full collections."""
    import gc

    await answer(send, b"%d" % gc.get_threshold()[2])


async def page_faults(scope, receive, send):
    """Respond with how many page faults it takes to touch 16 MiB that were freed
    before.
    """
    await answer(send, b"%d" % [faults_of(256), faults_of(256)][-1])


async def page_faults_after_more(scope, receive, send):
    """Respond with how many page faults it takes to touch 16 MiB after 66 MiB were
    freed.
    """
    await answer(send, b"%d" % [faults_of(1056), faults_of(256)][-1])


def faults_of(count):
    """Allocate ``count`` blocks of 64 KiB and free them; return the page faults."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [b"x" * (65536 + n) for n in range(count)]
    blocks.clear()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
