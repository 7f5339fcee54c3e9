"""``bolide.run`` in a script: code after it, and around it, runs once."""

import os
import signal
import threading
from pathlib import Path

import pytest
from command import DEADLINE_S, Command, request, talk
from crews import ask, pids, wait_for

import bolide

APP = """
import atexit, os, sys, bolide

me = os.getpid()

def who():
    return "the script" if os.getpid() == me else "a child"

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
"""

ENDS = (
    APP
    + """
print("before:", who())
atexit.register(lambda: print("atexit:", who(), flush=True))
try:
    bolide.run(app, port=0, access_log=False, **SETTINGS)
    print("after run:", who(), flush=True)
finally:
    print("finally:", who(), flush=True)
"""
)

ENDED = [f"{x}: the script" for x in ("before", "after run", "finally", "atexit")]


def replace_all(command, place):
    """Let each worker serve its five requests and be replaced."""
    first = pids(command)

    def look():
        return ask(place) not in first and not first & pids(command)

    wait_for(look, "the first workers were not replaced")


def script(code, **settings):
    return Command(code=code.replace("**SETTINGS", f"**{settings!r}"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("settings", [{}, {"workers": 1}, {"workers": 2}])
def test_code_after_run_is_executed_once(settings, number):
    with script(ENDS, **settings) as command:
        command.port()
        command.signal(number)
        assert command.wait() == 0
        assert command.out.rest().splitlines() == ENDED


def test_code_after_run_is_not_executed_by_replaced_workers():
    with script(ENDS, workers=2, limit_max_requests=5) as command:
        port = command.port()
        replace_all(command, port)
        assert command.stop() == 0
        assert command.out.rest().splitlines() == ENDED


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ended_by_a_signal_does_not_run_the_script(number):
    with script(ENDS, workers=2) as command:
        port = command.port()
        first = ask(port)
        os.kill(first, number)
        wait_for(lambda: len(pids(command) - {first}) == 2, "no new worker")
        assert command.stop() == 0
        assert command.out.rest().splitlines() == ENDED


def test_a_worker_whose_startup_fails_does_not_run_the_script():
    with script(ENDS, workers=2, lifespan="on") as command:
        assert command.wait() == 3
        told = command.out.rest().splitlines()
        assert told == [x for x in ENDED if "after" not in x]


FOLDER = (
    APP
    + """
import tempfile
with tempfile.TemporaryDirectory() as folder:
    print(folder, flush=True)
    bolide.run(app, uds=folder + "/s", access_log=False, **SETTINGS)
"""
)
KEPT_FOLDER = FOLDER.replace(
    "with tempfile.TemporaryDirectory() as folder:",
    "kept = tempfile.TemporaryDirectory()\nif folder := kept.name:",
)


@pytest.mark.parametrize("code", [FOLDER, KEPT_FOLDER], ids=["with", "finalizer"])
def test_a_temporary_folder_of_the_script_outlives_its_workers(code):
    with script(code, workers=2, limit_max_requests=5) as command:
        command.where()
        folder = command.out.line_with("/")
        replace_all(command, f"{folder}/s")
        assert ask(f"{folder}/s") in pids(command)
        assert command.stop() == 0
        assert not os.path.exists(folder)


CHILDREN = (
    APP
    + """
import multiprocessing, time
kind = multiprocessing.get_context("fork").Process
other = kind(target=time.sleep, args=(600,), daemon=True)
other.start()
print(other.pid, flush=True)
bolide.run(app, port=0, access_log=False, **SETTINGS)
print("alive" if other.is_alive() else "killed", flush=True)
"""
)


def test_a_worker_does_not_end_the_script_s_children():
    with script(CHILDREN, workers=2, limit_max_requests=5) as command:
        port = command.port()
        other = int(command.out.line_with(""))
        first = pids(command) - {other}
        wait_for(
            lambda: ask(port) not in first and not first & pids(command),
            "the first workers were not replaced",
        )
        assert command.stop() == 0
        assert command.out.rest().splitlines()[1:] == ["alive"]


WORKERS_OWN = """
import atexit, logging.handlers, os, sys, tempfile, threading, time

def say(text):
    sys.stdout.write(f"{text} {os.getpid()}\\n")

atexit.register(say, "atexit")
folder = tempfile.TemporaryDirectory(prefix="bolide-of-a-worker-")
handler = logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
logging.getLogger("app").addHandler(handler)

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    logging.getLogger("app").warning("logged %d", os.getpid())
    threading.Thread(target=lambda: (time.sleep(0.1), say("thread"))).start()
    body = f"{os.getpid()} {folder.name}".encode()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": body})
"""


def test_a_worker_runs_the_exit_functions_of_its_application(tmp_path):
    """Functions of atexit, finalizers, threads, and buffered log records."""
    (tmp_path / "ending.py").write_text(WORKERS_OWN)
    words = ["--app-dir", str(tmp_path), "--workers", "2", "--port", "0"]
    with Command("ending:app", *words, "--no-access-log") as command:
        body = talk(command.port(), request()).partition(b"\r\n\r\n")[2].decode()
        pid, folder = body.split()
        found = pids(command)
        assert command.stop() == 0
        told = command.out.rest().splitlines()
        wanted = [f"atexit {x}" for x in found] + [f"logged {pid}", f"thread {pid}"]
        assert sorted(told) == sorted(wanted)
        assert not os.path.exists(folder)


def test_exit_functions_registered_before_the_fork_run_in_the_parent(tmp_path):
    (tmp_path / "ending.py").write_text(WORKERS_OWN)
    words = ["--app-dir", str(tmp_path), "--workers", "2", "--preload", "--port", "0"]
    words += ["--limit-max-requests", "3"]
    with Command("ending:app", *words, "--no-access-log") as command:
        port = command.port()
        folders = set()
        for _ in range(12):
            body = talk(port, request()).partition(b"\r\n\r\n")[2].decode()
            folders.add(body.split()[1])
            assert os.path.exists(body.split()[1])
        assert len(folders) == 1
        assert command.stop() == 0
        told = command.out.rest().splitlines()
        assert len([x for x in told if x.startswith("atexit")]) == 1
        assert not os.path.exists(*folders)


HOLDS_BACK = (
    APP
    + """
import logging.handlers
held = logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(held)
logging.getLogger().warning("held by the script")
sys.stdout.write("written by the script\\n")
bolide.run(app, port=0, access_log=False, **SETTINGS)
"""
)


def test_records_buffered_by_the_script_are_written_once():
    with script(HOLDS_BACK, workers=3) as command:
        command.port()
        assert command.stop() == 0
        told = sorted(command.out.rest().splitlines())
        assert told == ["held by the script", "written by the script"]


ITS_CHILD = (
    APP
    + """
import subprocess
readable, writable = os.pipe()
waits = f"import os; os.read({readable}, 1); os._exit(7)"
child = subprocess.Popen([sys.executable, "-c", waits], pass_fds=[readable])
print("child:", child.pid, flush=True)

async def ends_child(scope, receive, send):
    os.write(writable, b"x")
    await app(scope, receive, send)

bolide.run(ends_child, port=0, access_log=False, **SETTINGS)
print("child's code:", child.wait(), flush=True)
"""
)


@pytest.mark.parametrize("settings", [{"workers": 2}, {"workers": 1, "preload": True}])
def test_the_supervisor_does_not_reap_children_of_the_script(settings):
    """The supervisor waits only for its workers, even for one that ends later."""
    with script(ITS_CHILD, **settings) as command:
        port = command.port()
        child = int(command.out.line_with("child: ").split()[1])
        worker = ask(port)

        def has_ended():
            stat = Path(f"/proc/{child}/stat").read_text(encoding="utf-8")
            return stat.rpartition(")")[2].split()[0] == "Z"

        wait_for(has_ended, "the script's child does not end")
        os.kill(worker, signal.SIGKILL)
        command.err.line_with(f"worker {worker} was killed by SIGKILL")
        assert command.stop() == 0
        assert command.out.line_with("code") == "child's code: 7"


@pytest.mark.parametrize("settings", [{"workers": 2}, {"reload": True}])
def test_workers_in_another_thread_are_rejected_at_once(settings):
    """One clear error, before a port is bound: only the main thread gets signals."""
    raised = []

    def serve():
        with pytest.raises(RuntimeError, match=r"signals.* the main thread") as info:
            bolide.run("nowhere:app", port=0, **settings)
        raised.append(info.value)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(DEADLINE_S)
    assert len(raised) == 1
