"""Settings come from the command line, then the environment, then a file."""

import json
import signal
import tomllib

import apps
import pytest
from command import HERE, Command, request, run, serve, talk
from here import Here

import bolide
from bolide.cli import main as cli
from bolide.cli.options import OPTIONS
from bolide.cli.sources import UsageError, gather


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def origins(words="", **environ):
    gathered = gather(words.split(), environ)
    return {name: (x.value, x.origin) for name, x in gathered.settings.items()}


def test_the_command_line_overrides_the_environment_and_that_the_file(folder):
    (folder / "bolide.toml").write_text(
        'app = "a:b"\nport = 1\nbacklog = 10\nlimit-head = 600\n'
    )
    assert origins("--port 3", BOLIDE_PORT="2", BOLIDE_BACKLOG="20") == {
        "app": ("a:b", "bolide.toml:1: app"),
        "port": (3, "--port"),
        "backlog": (20, "BOLIDE_BACKLOG"),
        "limit_head": (600, "bolide.toml:4: limit-head"),
    }


def test_names_with_commas_may_be_a_list_in_a_file(folder):
    """docs/COMPRESSION.md shows both."""
    for text in ('"/login,/account"', '["/login", "/account"]'):
        (folder / "bolide.toml").write_text(f'app = "a:b"\ncompress_except = {text}\n')
        value = origins()["compress_except"][0]
        assert bolide.Config("a:b", compress_except=value).coding.excepted == (
            b"/login,/account"
        )


def test_settings_may_be_in_pyproject(folder):
    text = (
        '[tool.other]\nport = "x"\n\n[tool.bolide]\napp = "a:b"\naccess_log = false\n'
    )
    (folder / "pyproject.toml").write_text(text)
    assert origins() == {
        "app": ("a:b", "pyproject.toml:5: app"),
        "access_log": (False, "pyproject.toml:6: access_log"),
    }
    (folder / "bolide.toml").write_text('app = "c:d"\n')
    assert origins()["app"][0] == "c:d"
    assert "port" not in origins("--config bolide.toml")


def test_values_of_a_file_have_types(folder):
    text = """
app = "a:b"
header = ["X-A:1", "X-B: 2"]
timeout_keep_alive = 1.5
workers = 4
factory = true
"""
    (folder / "bolide.toml").write_text(text)
    values = gather([], {}).values()
    assert values["headers"] == [("X-A", "1"), ("X-B", " 2")]
    assert (values["timeout_keep_alive"], values["factory"]) == (1.5, True)
    assert bolide.Config(**values).workers == 4
    (folder / "bolide.toml").write_text('app = "a:b"\n[headers]\nX-A = 1\n')
    assert gather([], {}).values()["headers"] == [("X-A", "1")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("prot = 1", "bolide.toml:2: prot is not a setting; did you mean port?"),
        ("port = 'x'", "bolide.toml:2: port takes a whole number, not 'x'"),
        ("factory = 1", "bolide.toml:2: factory is true or false, not 1"),
        ("host = [1]", "bolide.toml:2: host takes one address, not [1]"),
        ("port = 70000", "bolide.toml:2: port takes 0 to 65535, not 70000"),
        (
            "port =",
            "bolide.toml is not valid TOML: Invalid value (at line 2, column 7)",
        ),
    ],
)
def test_an_error_in_a_file_names_file_line_and_key(text, why, folder, capsys):
    (folder / "bolide.toml").write_text(f'app = "a:b"\n{text}\n')
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"bolide: error: {why}\n"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("pyproject.toml", "tool = 'bolide'", "tool is a table, not 'bolide'"),
        ("pyproject.toml", "tool.bolide = 3", "bolide is a table, not 3"),
        ("bolide.toml", "a = " + "[" * 5000, "is not valid TOML: "),
        ("bolide.toml", "port = " + "9" * 5000, "is not valid TOML: "),
    ],
)
def test_an_unusable_file_is_rejected_with_its_name(name, text, why, folder):
    (folder / name).write_text(text + "\n# tool.bolide\n")
    with pytest.raises(UsageError, match=rf"^{name}:? {why}"):
        gather([], {})


def test_a_file_that_cannot_be_read_is_reported():
    text = "bolide: error: cannot read /none.toml: No such file or directory\n"
    assert run("--config", "/none.toml") == (2, "", text)


def test_an_invalid_variable_is_named(capsys, monkeypatch):
    monkeypatch.setenv("BOLIDE_PORT", "70000")
    with pytest.raises(SystemExit):
        cli.main(["a:b"])
    text = "bolide: error: BOLIDE_PORT takes 0 to 65535, not 70000\n"
    assert capsys.readouterr().err == text


def test_variables_of_uvicorn_are_read_with_a_hint():
    gathered = gather(["a:b"], {"UVICORN_PORT": "1", "UVICORN_HOST": "h"})
    assert gathered.values() == {"app": "a:b", "port": 1, "host": "h"}
    assert gathered.notes[1] == "UVICORN_PORT is read; its name here is BOLIDE_PORT"
    environ = {"UVICORN_PORT": "1", "BOLIDE_PORT": "2"}
    gathered = gather(["a:b"], environ)
    assert (gathered.values()["port"], gathered.notes) == (2, [])


def test_common_variables_are_read():
    environ = {"WEB_CONCURRENCY": "3", "FORWARDED_ALLOW_IPS": "*"}
    assert origins("a:b", **environ) == {
        "app": ("a:b", "the command line"),
        "workers": ("3", "WEB_CONCURRENCY"),
        "forwarded_allow_ips": ("*", "FORWARDED_ALLOW_IPS"),
    }


def test_print_config_keeps_secrets(folder, capsys):
    words = ["a:b", "--cache", "8388608", "--cache-purge-path", "/-/cache"]
    with pytest.raises(SystemExit):
        cli.main([*words, "--cache-purge-token", "s" * 32, "--print-config"])
    text = capsys.readouterr().out
    assert "# cache_purge_token is set" in text
    assert "s" * 32 not in text


def test_print_config_prints_a_file_with_the_same_settings(folder, capsys):
    words = ["a:b", "--port", "1", "--header", "A:b", "--no-access-log", "--umask", "7"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--print-config"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    (line,) = [x for x in out.splitlines() if x.startswith("port")]
    assert line.split() == ["port", "=", "1", "#", "--port"]
    fields = [x.field for x in OPTIONS if x.field]
    named = [x.removeprefix("# ").partition(" ")[0] for x in out.splitlines() if x]
    assert set(fields) <= set(named)
    assert "default" in out
    tomllib.loads(out)
    (folder / "bolide.toml").write_text(out)
    with pytest.raises(SystemExit):
        cli.main(["--print-config"])
    again = capsys.readouterr().out
    assert tomllib.loads(again) == tomllib.loads(out)
    assert "bolide.toml:" in again


def test_check_config_loads_the_application(capsys):
    def check(*words):
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, "--check-config", "--app-dir", str(HERE)])
        return ended.value.code, *capsys.readouterr()

    fine = "the configuration is fine, and apps:hello can be loaded\n"
    assert check("apps:hello") == (0, fine, "")
    code, out, err = check("apps:no_such")
    assert (code, out) == (1, "")
    assert err.startswith('bolide: error: module "apps" has no attribute "no_such"')
    assert check("apps:hello", "--port", "-1")[0] == 2
    code, _, err = check("apps:hello", "--user", "no such user")
    assert (code, err) == (
        1,
        'bolide: error: --user is not a user of this system: "no such user"\n',
    )


def test_ignored_settings_are_logged_once():
    words = ["--http", "h11", "--workers", "2"]
    with serve("hello", *words, env={"UVICORN_BACKLOG": "100"}) as command:
        assert talk(command.port(), request()).endswith(b"hello")
        assert command.stop() == 0
        said = command.err.rest()
        assert said.count("--http h11 is ignored: bolide has its own parser") == 1
        assert said.count("UVICORN_BACKLOG is read; its name here is BOLIDE_BACKLOG")


def test_the_application_gets_the_variables_of_a_file(tmp_path):
    pytest.importorskip("dotenv")
    (tmp_path / "env").write_text("SAYS=startup.failed\n")
    with serve("lifespan", "--env-file", str(tmp_path / "env")) as command:
        assert command.wait() == 3


def test_a_log_config_gets_the_log(tmp_path):
    config = {
        "version": 1,
        "formatters": {"f": {"format": "%(name)s/%(levelname)s/%(message)s"}},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
        "loggers": {"uvicorn": {"handlers": ["h"], "level": "INFO"}},
    }
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(config))
    with serve("hello", "--log-config", str(path)) as command:
        assert command.err.line_with("listening on").startswith("uvicorn.error/INFO/")


def test_an_unusable_log_config_is_reported(tmp_path):
    path = tmp_path / "logging.json"
    path.write_text("{")
    with serve("hello", "--log-config", str(path)) as command:
        assert command.wait() == 2
        assert "--log-config cannot be used" in command.err.rest()


def test_colors_can_be_configured():
    with serve("hello", "--use-colors") as command:
        assert "\x1b[32minfo" in command.err.line_with("listening on")


def test_the_interface_can_be_configured():
    words = ["--interface", "asgi2"]
    with serve("double", *words) as command:
        assert talk(command.port(), request()).endswith(b"double")


def test_callback_notify_is_called_while_serving():
    calls = []

    async def notify():
        calls.append(1)

    settings = {"callback_notify": notify, "timeout_notify": 0.01}
    with Here(apps.hello, **settings) as server:
        while len(calls) < 3:
            assert talk(server.port, request()).endswith(b"hello")


def test_a_reload_rereads_the_file(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('workers = 1\nheader = "X-Generation: 1"\n')
    words = ["apps:hello", "--port", "0", "--config", str(path)]
    with Command(*words) as command:
        port = command.port()
        assert b"\r\nx-generation: 1\r\n" in talk(port, request())
        path.write_text('workers = 1\nport = "x"\n')
        command.signal(signal.SIGHUP)
        command.err.line_with(f"not reloaded: {path}:2: port takes a whole number")
        path.write_text('workers = 2\nheader = "X-Generation: 2"\n')
        command.signal(signal.SIGHUP)
        command.err.line_with("reloaded: 2 new workers are serving")
        assert b"\r\nx-generation: 2\r\n" in talk(port, request())
        assert command.stop() == 0
