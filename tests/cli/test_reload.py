"""``--reload``: saved changes are served."""

import os
import signal
import time

import pytest
from command import (
    DEADLINE_S,
    HERE,
    PATIENCE,
    Command,
    connect,
    open_websocket,
    request,
    run,
    talk,
)
from crews import ask, children, is_alive, wait_for

from bolide.config.config import Config
from bolide.processes.file_watcher import Filter, folders

pytest.importorskip("watchfiles")

ENV = {"PYTHONPATH": f"{HERE}:{os.environ['PYTHONPATH']}"}
APP = """
from apps import answer
async def app(scope, receive, send):
    if scope["type"] == "http":
        await answer(send, b"{}")
"""


class Project:
    """A folder with an application, and a command that serves it with --reload."""

    def __init__(self, path):
        self.path = path
        self.write("main.py", APP.format("first"))

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def serve(self, *words, app="main:app"):
        words = ["--reload", "--app-dir", str(self.path), *words]
        if "--reload-dir" not in words:
            words += ["--reload-dir", str(self.path)]
        return Command(app, "--port", "0", *words, env=ENV)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def body(port):
    return talk(port, request()).partition(b"\r\n\r\n")[2].decode()


def started(command):
    """Wait until a command serves and watches; return its port."""
    command.err.line_with("watching for changes: ")
    return command.port()


def test_a_saved_change_is_served_and_logged(project):
    with project.serve() as command:
        port = started(command)
        assert body(port) == "first"
        for text in ("second", "third!", "fourth"):
            project.write("main.py", APP.format(text))
            wait_for(lambda t=text: body(port) == t, "the old version is served")
        assert "main.py; reloading" in command.err.line_with("changed: ")
        command.err.line_with("reloaded in ")
        assert command.stop() == 0


def test_a_small_application_is_served_within_300_ms(project):
    """The best of several times, each measured from before the write to the full
    response.
    """
    with project.serve("--reload-delay", "0") as command:
        port = started(command)
        times = []
        for number in range(8):
            text = f"version {number}"
            began = time.monotonic()
            project.write("main.py", APP.format(text))
            while body(port) != text:
                assert time.monotonic() - began < DEADLINE_S
                time.sleep(0.005)
            times.append(time.monotonic() - began)
        print(f"from save to serving: {min(times):.3f} to {max(times):.3f} s")
        assert min(times) < 0.3 * PATIENCE, times


def test_an_error_is_reported_and_requests_wait_until_it_is_fixed(project):
    with project.serve() as command:
        port = started(command)
        project.write("main.py", "def app(:\n")
        command.err.line_with("waiting for a change")
        assert "SyntaxError" in command.err.text
        assert "def app(:" in command.err.text
        with connect(port) as peer:
            peer.sendall(request())
            project.write("main.py", APP.format("mended"))
            assert peer.recv(65536).endswith(b"mended")
        assert command.stop() == 0


def test_after_an_error_at_the_start_a_change_is_awaited(project):
    project.write("main.py", "raise ValueError('not yet')\n")
    with project.serve() as command:
        command.err.line_with("watching for changes: ")
        command.err.line_with("waiting for a change")
        assert "not yet" in command.err.text
        project.write("main.py", APP.format("mended"))
        assert body(command.port()) == "mended"
        assert command.stop() == 0


def test_a_server_that_died_is_restarted_by_the_next_change(project):
    dying = APP.replace(
        "    if", "    if scope['path'] == '/die': import os; os._exit(9)\n    if"
    )
    project.write("main.py", dying.format("first"))
    with project.serve() as command:
        port = started(command)
        talk(port, request("/die"))
        line = command.err.line_with("waiting for a change")
        assert "exited with code 9" in line
        project.write("main.py", APP.format("again"))
        assert body(port) == "again"


def test_several_folders_are_watched(project, tmp_path_factory):
    """The application imports from a package in another folder."""
    other = Project(tmp_path_factory.mktemp("other"))
    other.write("shared.py", "text = b'first'\n")
    project.write(
        "main.py",
        f"import sys; sys.path.append({str(other.path)!r})\n"
        "import shared\n" + APP.replace('b"{}"', "shared.text"),
    )
    words = ["--reload-dir", str(project.path), "--reload-dir", str(other.path)]
    with project.serve(*words) as command:
        port = started(command)
        assert body(port) == "first"
        other.write("shared.py", "text = b'second'\n")
        wait_for(lambda: body(port) == "second", "the old version is served")
        assert command.stop() == 0


def test_commands_reload_independently(tmp_path_factory):
    """A change of one application does not affect the others."""
    one, two = (Project(tmp_path_factory.mktemp("app")) for _ in range(2))
    with one.serve() as first, two.serve() as second:
        ports = [started(first), started(second)]
        one.write("main.py", APP.format("changed"))
        wait_for(lambda: body(ports[0]) == "changed", "the old version is served")
        assert body(ports[1]) == "first"
        assert second.err.count("changed: ") == 0


def test_other_files_are_watched_if_configured(project):
    project.write(
        "main.py",
        "import os\n"
        + APP.replace('b"{}"', "open(TEXT, 'rb').read()")
        + f"\nTEXT = {str(project.path / 'page.html')!r}\n"
        + "print('loaded', flush=True)\n",
    )
    project.write("page.html", "first")
    words = ["--reload-include", "*.html", "--reload-exclude", "skipped*"]
    with project.serve(*words) as command:
        port = started(command)
        project.write("skipped.py", "")
        project.write("notes.txt", "")
        project.write("page.html", "second")
        command.err.line_with("page.html; reloading")
        wait_for(lambda: command.out.count("loaded") == 2, "it is not reloaded")
        assert body(port) == "second"
        assert command.err.count("changed: ") == 1


def test_websockets_are_closed_with_1012(project):
    project.write(
        "main.py",
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'websocket':\n"
        "        await send({'type': 'websocket.accept'})\n"
        "        while (await receive())['type'] != 'websocket.disconnect': pass\n",
    )
    with project.serve() as command:
        port = started(command)
        with open_websocket(port) as peer:
            project.write("main.py", APP.format("second"))
            frame = peer.recv(64)
            assert frame[:4] == b"\x88\x02" + (1012).to_bytes(2, "big")
        wait_for(lambda: body(port) == "second", "the old version is served")


def test_a_stuck_request_delays_the_reload_for_two_seconds(project):
    stuck = APP.replace(
        "    if",
        "    if scope['path'] == '/stuck': import asyncio; "
        "await asyncio.Event().wait()\n    if",
    )
    project.write("main.py", stuck.format("first"))
    with project.serve() as command:
        port = started(command)
        with connect(port) as peer:
            peer.sendall(request("/stuck"))
            body(port)
            began = time.monotonic()
            project.write("main.py", APP.format("second"))
            assert body(port) in ("first", "second")
            wait_for(lambda: body(port) == "second", "the old version is served")
            assert time.monotonic() - began < 5 * PATIENCE


def test_a_slow_framework_is_imported_once(project):
    pytest.importorskip("fastapi")
    text = "import fastapi\nprint('loaded', flush=True)\n" + APP
    project.write("main.py", text.format("first"))
    with project.serve() as command:
        port = started(command)
        maps = f"/proc/{command.process.pid}/maps"

        def has_imported():
            with open(maps, encoding="utf-8") as file:
                return "pydantic_core" in file.read()

        wait_for(has_imported, "it is not imported beforehand")
        project.write("main.py", text.format("second"))
        wait_for(lambda: body(port) == "second", "the old version is served")
        assert command.out.count("loaded") == 2
        assert command.stop() == 0


def test_a_stop_ends_all_its_processes(project):
    with project.serve() as command:
        started(command)
        found = children(command.process.pid)
        assert len(found) == 2
        assert command.stop() == 0
        assert not any(map(is_alive, found))


def test_its_processes_end_if_it_is_killed(project):
    with project.serve() as command:
        started(command)
        found = children(command.process.pid)
        command.process.kill()
        command.wait()
        wait_for(lambda: not any(map(is_alive, found)), "they are still alive")


def test_sighup_reloads_too(project):
    project.write("main.py", "from apps import pid as app\n")
    with project.serve() as command:
        port = started(command)
        first = ask(port)
        command.signal(signal.SIGHUP)
        wait_for(lambda: ask(port) != first, "the same process serves")


def test_a_missing_watchfiles_is_reported():
    code = (
        "import sys; sys.modules['watchfiles'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'watchfiles' else find(n, *a)\n"
        "import bolide.cli.main; bolide.cli.main.main()"
    )
    with Command("apps:hello", "--reload", code=code) as command:
        assert command.wait() == 2
        assert command.err.rest() == (
            "bolide: error: --reload needs watchfiles: pip install watchfiles\n"
        )


def test_a_missing_folder_to_watch_is_reported():
    code, _, err = run("apps:hello", "--reload", "--reload-dir", "no/such")
    assert (code, err) == (
        2,
        'bolide: error: --reload-dir is not a directory: "no/such"\n',
    )


def test_workers_are_ignored_with_reload(project):
    with project.serve("--workers", "4") as command:
        started(command)
        command.err.line_with("with reload one process serves")
        assert len(children(command.process.pid)) == 2


@pytest.mark.parametrize(
    ("settings", "yes", "no"),
    [
        ({}, "a.py b/c.py", "a.pyc .a.py .a.swp a.html ~a.py"),
        ({"reload_includes": ["*.html"]}, "a.py x/a.html", "a.css"),
        ({"reload_excludes": "test_*"}, "a.py", "test_a.py"),
        ({"reload_excludes": ["*.py"], "reload_includes": "*.txt"}, "a.txt", "a.py"),
        ({"reload_includes": [".env"]}, ".env", ".other"),
    ],
)
def test_patterns_are_those_of_uvicorn(settings, yes, no):
    wanted = Filter(Config("a:b", **settings))
    assert all(wanted(f"/x/{name}") for name in yes.split())
    assert not any(wanted(f"/x/{name}") for name in no.split())


def test_folders_are_watched_once_and_can_be_left_out(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    config = Config(
        "a:b", reload_dirs=[str(tmp_path), str(inner)], reload_excludes=[str(inner)]
    )
    assert folders(config) == [str(tmp_path)]
    wanted = Filter(config)
    assert wanted(str(tmp_path / "a.py"))
    assert not wanted(str(inner / "a.py"))
