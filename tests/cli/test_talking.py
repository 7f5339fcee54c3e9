"""What a command logs at its start and its end, and how it reads its arguments."""

import os
import socket

import pytest
from command import HERE, Command, request, run, run_here, serve, talk
from crews import wait_for, workers

import bolide
from bolide.cli.sources import gather
from bolide.config.rows import LIMITS, SETTINGS
from bolide.errors import reason_first

NONSENSE = [object(), b"a", 1.5, -1, "abc", [], [1], {"a": 1}, float("nan"), True, None]
FIELDS = [x.name for x in SETTINGS]


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_of_a_wrong_type_is_rejected_or_converted(name):
    for value in NONSENSE:
        try:
            bolide.Config("apps:hello", **{name: value})
        except bolide.ConfigError as error:
            assert str(error), (name, value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "8000", 8000),
        ("backlog", "5", 5),
        ("statsd_interval", "2.5", 2.5),
        ("access_log", "off", False),
        ("redirect_http", None, None),
    ],
)
def test_texts_are_converted_to_the_type_of_the_setting(name, text, value):
    config = bolide.Config("apps:hello", **{name: text})
    assert getattr(config, name) == value


def test_an_invalid_option_is_reported_in_one_line(capsys):
    code, _, said = run_here(capsys, "apps:hello", "--statsd-interval", "abc")
    assert code == 2
    assert said == "bolide: error: --statsd-interval takes a number, not 'abc'\n"


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["-w4"], "workers", "4"),
        (["-w=4"], "workers", "4"),
        (["-b:8000"], "bind", [":8000"]),
        (["-bunix:/s,mode=660"], "bind", ["unix:/s,mode=660"]),
        (["-ksync", "-w2"], "workers", "2"),
    ],
)
def test_a_short_option_may_be_joined_with_its_value(words, name, value):
    assert gather(["a:b", *words], {}).values()[name] == value


def test_a_header_may_be_bytes():
    config = bolide.Config("apps:hello", headers=[(b"X-A", b"1"), ("X-B", "2")])
    assert config.headers == [("X-A", "1"), ("X-B", "2")]
    assert config.for_engine()["headers"] == [(b"x-a", b"1"), (b"x-b", b"2")]


@pytest.mark.parametrize("words", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_a_factory_is_served_and_logged_once(words):
    with serve("create", *words) as command:
        port = command.port()
        assert talk(port, request()).endswith(b"hello")
        assert command.stop() == 0
        said = command.err.rest()
        assert said.count('"apps:create" is used as an application factory') == 1
        assert "warning" in said


def test_a_message_of_all_workers_is_logged_once():
    with workers(4, "pid") as command:
        command.port()
        assert command.stop() == 0
        said = command.err.rest()
        assert said.count("does not support the lifespan protocol") <= 1
        assert said.count("stopped") == 1


def test_variables_of_a_file_are_read_first(tmp_path):
    path = tmp_path / ".env"
    path.write_text("FORWARDED_ALLOW_IPS=10.1.2.3\nWEB_CONCURRENCY=3\nBOLIDE_PORT=0\n")
    config = bolide.Config("apps:hello", env_file=str(path))
    assert (config.forwarded_allow_ips, config.workers) == ("10.1.2.3", 3)
    gathered = gather(["apps:hello", "--env-file", str(path)], {"BOLIDE_PORT": "80"})
    assert gathered.values()["port"] == 80
    gathered = gather(["apps:hello"], {"BOLIDE_ENV_FILE": str(path)})
    assert gathered.values()["port"] == 0
    assert gathered.values()["workers"] == "3"


WRONG = {
    "key": "--ssl-certfile cert.pem --ssl-keyfile other.pem",
    "no certificate": "--ssl-certfile nowhere.pem",
    "log file": "--log-file /nowhere/log",
    "access log": "--access-log-file /nowhere/log",
    "host": "--host no-such-host.invalid",
    "folder of a socket": "--uds /nowhere/socket",
    "pid file": "--pid-file /nowhere/pid",
    "loop": "--loop apps:nothing",
    "folder to watch": "--reload --reload-dir /nowhere",
}


@pytest.mark.parametrize("why", WRONG)
def test_a_check_finds_what_would_fail_at_the_start(why, tmp_path):
    for name in ("cert.pem", "other.pem"):
        (tmp_path / name).write_text("nothing")
    words = WRONG[why].replace("cert.pem", str(tmp_path / "cert.pem"))
    words = words.replace("other.pem", str(tmp_path / "other.pem"))
    code, out, err = run("apps:hello", "--check-config", *words.split())
    assert code == 1, out
    assert out == ""
    assert err.startswith("bolide: error: ")
    assert err.count("\n") == 1


def test_a_check_creates_no_file(tmp_path):
    words = ["--log-file", str(tmp_path / "log"), "--pid-file", str(tmp_path / "pid")]
    code, out, _ = run("apps:hello", "--check-config", *words)
    assert code == 0
    assert "the configuration is fine" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "words"), [(0o600, ""), (0o640, ",mode=640")])
def test_the_mode_of_a_socket_is_kept(tmp_path, mode, words):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as before:
        before.bind(str(path))
        path.chmod(0o600)
    with Command("apps:hello", "--bind", f"unix:{path}{words}") as command:
        command.where()
        assert path.stat().st_mode & 0o777 == mode
        assert command.stop() == 0


def test_the_process_that_has_a_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, said = run("apps:hello", "--port", str(port))
    assert code == 1
    assert f"the address is in use by python, pid {os.getpid()}" in said


def test_a_host_with_a_port_is_reported():
    code, _, said = run("apps:hello", "--host", "127.0.0.1:33020")
    assert code == 1
    assert "did you mean --bind 127.0.0.1:33020?" in said


def test_options_are_named_as_they_are_written(capsys):
    code, _, said = run_here(capsys, "apps:hello", "--ssl-keyfile", "k.pem")
    assert (code, said) == (2, "bolide: error: --ssl-keyfile needs --ssl-certfile\n")


@pytest.mark.parametrize(
    "name", ["--runtime-threads", "--url-path-prefix", "--statsd-host", "--xyzzy"]
)
def test_only_similar_options_are_suggested(capsys, name):
    _, _, said = run_here(capsys, "apps:hello", name)
    assert "did you mean" not in said


def test_the_reason_is_before_the_traceback():
    text = "Traceback (most recent call last):\n  File x\nOSError: database is down\n\n"
    first, *others = reason_first(text).splitlines()
    assert first == "OSError: database is down"
    assert others == text.rstrip().splitlines()


def test_the_signature_of_config_has_the_defaults():
    for limit in LIMITS:
        shown = getattr(bolide.Config, limit.name)
        assert shown == limit.default, limit.name
    assert bolide.Config("a:b", limits={"timeout_head": 3}).timeout_head == 3
    assert bolide.Config("a:b", timeout_head=None).timeout_head == 10


def test_an_import_of_the_unbuilt_source_explains_the_error(tmp_path):
    source = HERE.parent.parent / "bolide"
    code = f"import sys; sys.path.insert(0, {str(source.parent)!r}); import bolide"
    with Command(code=code) as command:
        assert command.wait() == 1
        said = command.err.rest().splitlines()[-1]
        assert said.startswith("ImportError: ")
        assert "is bolide's source, which is not built there" in said


@pytest.mark.parametrize("words", [(), ("--workers", "1")], ids=["alone", "workers"])
def test_a_module_may_run_a_loop_when_it_is_imported(tmp_path, words):
    text = "import asyncio\nfrom apps import hello\n"
    text += "async def build():\n    return hello\n"
    text += "app = asyncio.run(build())\ndef make():\n    return asyncio.run(build())\n"
    (tmp_path / "building.py").write_text(text)
    env = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    for target in (("building:app",), ("building:make", "--factory")):
        with Command(*target, "--port", "0", *words, env=env) as command:
            assert talk(command.port(), request()).endswith(b"hello")
            assert command.stop() == 0


def test_a_process_without_workers_ignores_signals_for_supervisors():
    import signal

    with serve("hello") as command:
        port = command.port()
        for number, said in (
            (signal.SIGHUP, "there is nothing to read again"),
            (signal.SIGUSR2, "not upgraded"),
        ):
            command.signal(number)
            command.err.line_with(said)
        command.signal(signal.SIGUSR1)
        assert talk(port, request()).endswith(b"hello")
        assert command.stop() == 0


@pytest.mark.parametrize(
    ("include", "changed"),
    [
        ("conf/.env", "conf/.env"),
        ("./conf/.env", "conf/.env"),
        (".env*", ".env.local"),
        ("conf", "conf/settings.toml"),
        ("{outside}/x.toml", "{outside}/x.toml"),
    ],
)
def test_included_files_and_folders_are_watched(
    tmp_path, tmp_path_factory, include, changed
):
    pytest.importorskip("watchfiles")
    outside = str(tmp_path_factory.mktemp("outside"))
    include, changed = (x.replace("{outside}", outside) for x in (include, changed))
    (tmp_path / "conf").mkdir()
    path = tmp_path / changed
    path.write_text("a")
    words = ["--reload", "--reload-include", include, "--port", "0"]
    code = f"import os, bolide; os.chdir({str(tmp_path)!r}); bolide.main()"
    env = {"PYTHONPATH": f"{HERE}:{os.environ['PYTHONPATH']}"}
    with Command("apps:hello", *words, code=code, env=env) as command:
        command.port()
        command.err.line_with("watching for changes")
        path.write_text("bb")
        command.err.line_with("reloading")
        wait_for(lambda: command.err.count("reloaded in"), "no reload")
        assert command.stop() == 0
