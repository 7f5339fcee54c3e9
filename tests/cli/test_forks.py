"""A process that an application forks never acts as the server.

Covers src/server/disown.c.
"""

import os
import signal
import time

import pytest
from command import DEADLINE_S, PATIENCE, Command, connect, read_until, request, talk
from crews import wait_for

FORKS = """
import asyncio, multiprocessing, os, subprocess, sys, threading, time

START = multiprocessing.get_context

def sleep(seconds):
    print("sleeps", flush=True)
    while True:
        time.sleep(seconds)

def by_os():
    if (pid := os.fork()) == 0:
        sleep(600)
    return pid

def by_multiprocessing(how):
    child = START(how).Process(target=sleep, args=(600,))
    child.start()
    children.append(child)
    return child.pid

def by_subprocess():
    child = subprocess.Popen(["sh", "-c", "echo sleeps; exec sleep 600"])
    children.append(child)
    return child.pid

def by_subprocess_with_preexec():
    say = lambda: print("sleeps", flush=True)
    child = subprocess.Popen(["sleep", "600"], preexec_fn=say)
    children.append(child)
    return child.pid

def by_sys_exit():
    if (pid := os.fork()) == 0:
        sys.exit(5)
    print("sleeps", flush=True)
    return pid

def by_raising():
    if (pid := os.fork()) == 0:
        raise KeyboardInterrupt
    print("sleeps", flush=True)
    return pid

children = []
ways = {
    "os": by_os, "sys_exit": by_sys_exit, "raising": by_raising,
    "fork": lambda: by_multiprocessing("fork"),
    "forkserver": lambda: by_multiprocessing("forkserver"),
    "subprocess": by_subprocess, "preexec": by_subprocess_with_preexec,
}

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("shutdown", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    what = scope["path"].strip("/")
    if what in ways:
        answer = ways[what]()
    elif what.startswith("thread-"):
        answer = await asyncio.to_thread(ways[what[7:]])
    elif what.startswith("wait-"):
        _, status = await asyncio.to_thread(os.waitpid, int(what[5:]), 0)
        answer = os.waitstatus_to_exitcode(status)
    else:
        answer = os.getpid()
    fields = [(b"content-length", b"%d" % len(str(answer)))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": str(answer).encode()})
"""

CALLED = """
import multiprocessing, os
if __name__ == "__main__":
    import atexit, bolide
    me = os.getpid()
    atexit.register(lambda: print("atexit", os.getpid() == me, flush=True))
    bolide.run("forking:app", app_dir=os.environ["WHERE"], uds=os.environ["PLACE"])
"""
SERVED = """
import asyncio, os, sys
sys.path.insert(0, os.environ["WHERE"])
if __name__ == "__main__":
    import bolide
    config = bolide.Config("forking:app", uds=os.environ["PLACE"])
    asyncio.run(bolide.Server(config).serve())
"""

GUNICORN = "from gunicorn.app.wsgiapp import run; run()"

SETTINGS = {
    "asyncio": ("--loop", "asyncio"),
    "uvloop": ("--loop", "uvloop"),
    "workers": ("--workers", "1"),
    "preload": ("--workers", "1", "--preload"),
    "run": CALLED,
    "serve": SERVED,
    "gunicorn": (),
    "gunicorn preload": ("--preload",),
}


@pytest.fixture(params=SETTINGS)
def server(request, tmp_path):
    """Run a server of FORKS at a Unix socket; yield it and the path."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    (tmp_path / "forking.py").write_text(FORKS)
    place = str(tmp_path / "socket")
    how = SETTINGS[request.param]
    words, code, ready = (), how, " listening on "
    if request.param.startswith("gunicorn"):
        pytest.importorskip("gunicorn")
        words = ("-k", "bolide.gunicorn.BolideWorker", "--bind", f"unix:{place}")
        words += ("--chdir", str(tmp_path), "--pid", str(tmp_path / "pid"), *how)
        words += ("forking:app",)
        code, ready = GUNICORN, "bolide serves on"
    elif isinstance(how, tuple):
        words = ("forking:app", "--app-dir", str(tmp_path), "--uds", place, *how)
        words += ("--pid-file", str(tmp_path / "pid"), "--no-access-log")
        code = None
    env = {"WHERE": str(tmp_path), "PLACE": place}
    with Command(*words, code=code, env=env) as command:
        command.err.line_with(ready)
        yield command, place


def ask(place, what=""):
    """Return the number in the server's response."""
    return int(talk(place, request(f"/{what}")).partition(b"\r\n\r\n")[2])


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def is_over(pid):
    return state(pid) == "Z"


def fork(command, place, how):
    """Make the application fork; return the child's pid once it runs."""
    child = ask(place, how)
    command.out.line_with("sleeps")
    return child


WAYS = ["os", "fork", "forkserver", "subprocess", "preexec", "thread-os", "thread-fork"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", WAYS)
def test_one_signal_ends_a_child_and_the_server_continues(server, how, number):
    if how == "forkserver" and number == signal.SIGINT:
        pytest.skip("CPython's fork server raises KeyboardInterrupt")
    command, place = server
    child = fork(command, place, how)
    try:
        wait_for(lambda: state(child) == "S", "it does not sleep")
        os.kill(child, number)
        wait_for(lambda: is_over(child), "the child is alive")
    finally:
        if not is_over(child):
            os.kill(child, signal.SIGKILL)
    assert os.path.exists(place)
    assert ask(place) > 0
    command.signal(signal.SIGTERM)
    assert command.wait() in (0, -signal.SIGTERM)
    told = command.out.rest()
    assert told.count("shutdown") == 1
    assert not os.path.exists(place)


@pytest.mark.parametrize("how", ["sys_exit", "raising"])
def test_the_end_of_a_child_does_not_affect_the_server(server, how):
    """It runs no lifespan shutdown, and no code that the script runs at exit."""
    command, place = server
    pid_file = os.path.join(os.path.dirname(place), "pid")
    had_pid_file = os.path.exists(pid_file)
    with connect(place) as idle:
        idle.sendall(request(fields=""))
        read_until(idle, b"\r\n\r\n")
        child = fork(command, place, how)
        wait_for(lambda: is_over(child), "the child is alive")
        status = ask(place, f"wait-{child}")
        assert status == 5 if how == "sys_exit" else status in (1, -2)
        idle.sendall(request(fields=""))
        read_until(idle, b"\r\n\r\n")
    assert os.path.exists(place)
    assert os.path.exists(pid_file) == had_pid_file
    assert ask(place) > 0
    command.signal(signal.SIGTERM)
    began = time.monotonic()
    assert command.wait() in (0, -signal.SIGTERM)
    assert time.monotonic() - began < DEADLINE_S / 2 * PATIENCE
    told = command.out.rest()
    assert told.count("shutdown") == 1
    assert "atexit False" not in told
    logged = command.err.rest()
    assert logged.count("stopping; ") <= 1
    assert logged.count("Worker exiting") <= 1


SUPERVISED = """
import os, sys, threading, time
sys.path.insert(0, os.environ["WHERE"])
if __name__ == "__main__":
    import bolide
    def fork():
        if os.fork() == 0:
            print("sleeps", os.getpid(), flush=True)
            while True:
                time.sleep(600)
    threading.Timer(1, fork).start()
    bolide.run("forking:app", uds=os.environ["PLACE"], workers=1)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2])
def test_a_child_of_a_script_with_workers_gets_its_own_signals(tmp_path, number):
    """Through the descriptor that wakes the supervisor they would reach it too."""
    (tmp_path / "forking.py").write_text(FORKS)
    place = str(tmp_path / "socket")
    env = {"WHERE": str(tmp_path), "PLACE": place}
    with Command(code=SUPERVISED, env=env) as command:
        command.where()
        child = int(command.out.line_with("sleeps").split()[1])
        os.kill(child, number)
        wait_for(lambda: is_over(child), "the child is alive")
        assert ask(place) > 0
        assert command.stop() == 0
        told = command.err.rest()
        assert "reloading" not in told
        assert "upgrading" not in told
