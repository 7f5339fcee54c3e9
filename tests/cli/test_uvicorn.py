"""bolide's command, Config, run and Server accept what uvicorn's accept."""

import inspect
import os

import apps
import pytest
import uvicorn
import uvicorn.config
from command import Command, run_here

import bolide
from bolide.cli import main as cli
from bolide.cli import options
from bolide.cli.sources import gather

REFUSED = {
    "ssl_context_factory": "has to return the context",
}
"""Keywords whose meaning is not supported: they are rejected, not ignored."""

COMMAND = [x for x in uvicorn.main.params if x.param_type_name == "option"]
KEYWORDS = list(inspect.signature(uvicorn.Config).parameters)
VALUES = {
    "uds": "/tmp/s", "fd": 3, "loop": "asyncio", "http": "h11",
    "http2": False, "ws": "wsproto", "ws_max_size": 1000, "ws_max_queue": 3,
    "ws_ping_interval": None, "ws_ping_timeout": 3.5, "ws_per_message_deflate": False,
    "lifespan": "off", "env_file": os.devnull, "log_config": None, "log_level": "trace",
    "use_colors": False, "interface": "asgi3", "workers": 2, "root_path": "/api",
    "forwarded_allow_ips": ["10.0.0.1"], "limit_concurrency": 10,
    "limit_max_requests": 7, "timeout_graceful_shutdown": 3,
    "headers": [("X-A", "b")], "h11_max_incomplete_event_size": 20000, "host": "::1",
    "callback_notify": lambda: None, "reload": True, "reload_dirs": ["."],
    "reload_includes": ["*.html"], "reload_excludes": "tests",
    "ssl_context_factory": lambda *_: None, "ssl_keyfile": "key.pem",
    "ssl_certfile": "cert.pem", "ssl_keyfile_password": "x", "ssl_ca_certs": "ca.pem",
    "ssl_ciphers": "TLSv1.2",
}  # fmt: skip
"""A value for each keyword whose default would show nothing."""


def words_of(option):
    """Return an option of uvicorn's command with a value, as arguments."""
    name = max(option.opts, key=len)
    if option.is_flag:
        return [name]
    values = {
        "log_level": "debug", "lifespan": "on", "interface": "asgi3", "loop": "asyncio",
        "http": "h11", "ws": "wsproto", "headers": "A:b", "app_dir": ".",
        "env_file": os.devnull, "log_config": os.devnull, "root_path": "/a",
        "ssl_version": "17", "ssl_cert_reqs": "0", "ws_per_message_deflate": "false",
    }  # fmt: skip
    return [name, values.get(option.name, "1")]


@pytest.mark.parametrize("option", COMMAND, ids=[x.name for x in COMMAND])
def test_each_option_of_its_command_is_accepted(option):
    for words in [words_of(option), *[[x] for x in option.secondary_opts]]:
        gathered = gather(["a:b", *words], {})
        if option.name in ("help", "version"):
            assert gathered.asks
        else:
            (field,) = set(gathered.settings) - {"app"}
            assert field == option.name
            assert field in inspect.signature(bolide.Config).parameters


@pytest.mark.parametrize("option", COMMAND, ids=[x.name for x in COMMAND])
def test_each_variable_of_its_command_is_accepted(option):
    if option.name in ("help", "version"):
        return
    words = words_of(option)
    text = words[1] if len(words) > 1 else "true"
    gathered = gather(["a:b"], {f"UVICORN_{option.name.upper()}": text})
    assert set(gathered.settings) == {"app", option.name}
    assert len(gathered.notes) == 1


def test_variables_for_fields_are_split_in_the_same_way():
    gathered = gather(["a:b"], {"UVICORN_HEADERS": "X-A:b X-C:d e"})
    assert gathered.values()["headers"] == [("X-A", "b"), ("X-C", "d e")]
    gathered = gather(["a:b"], {"BOLIDE_HEADERS": "X-A: b: c d:e\nX-C:d"})
    assert gathered.values()["headers"] == [("X-A", " b: c d:e"), ("X-C", "d")]


def test_positional_parameters_are_the_same():
    ours = list(inspect.signature(bolide.Config).parameters)
    assert ours[: len(KEYWORDS)] == KEYWORDS


@pytest.mark.parametrize("keyword", KEYWORDS[1:])
def test_each_keyword_is_accepted(keyword, monkeypatch):
    value = VALUES.get(
        keyword, inspect.signature(uvicorn.Config).parameters[keyword].default
    )
    given = {keyword: value}
    if keyword in ("ssl_keyfile", "ssl_ca_certs"):
        given["ssl_certfile"] = "cert.pem"
    if keyword in REFUSED:
        with pytest.raises(bolide.ConfigError, match=REFUSED[keyword]):
            bolide.Config(apps.hello, **given)
        return
    config = bolide.Config(apps.hello, **given)
    kept = getattr(config, keyword)
    assert kept == value or kept in (0, "auto", "none"), kept
    if keyword == "http":
        assert len(config.notes) == 1
        assert config.notes[0].endswith("is ignored: bolide has its own parser")


@pytest.mark.parametrize("keyword", KEYWORDS[1:])
def test_its_defaults_are_accepted(keyword):
    default = inspect.signature(uvicorn.Config).parameters[keyword].default
    config = bolide.Config(apps.hello, **{keyword: default})
    assert config.notes == []


def test_run_accepts_the_parameters_of_its_run():
    """``bolide.run`` passes all keywords to Config."""
    theirs = set(inspect.signature(uvicorn.run).parameters) - {"app"}
    assert theirs <= set(inspect.signature(bolide.Config).parameters)


def public(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def test_the_package_exports_the_names_of_its_package():
    for name in uvicorn.__all__:
        assert callable(getattr(bolide, name))


def test_ignored_settings_are_logged_once_for_programs_too(capsys):
    code = (
        "import bolide; bolide.run('apps:hello', port=0, http='h11', workers=WORKERS)"
    )
    for workers in ("None", "2"):
        words = "import sys; sys.path.insert(0, '.')\n" + code
        with Command(code=words.replace("WORKERS", workers)) as program:
            program.port()
            assert program.stop() == 0
            assert program.err.rest().count("--http h11 is ignored") == 1


def test_a_server_has_the_methods_of_its_server():
    theirs = public(uvicorn.Server) - {"on_tick", "limit_max_requests"}
    assert theirs <= public(bolide.Server) | set(dir(bolide.Server))
    for name in ("run", "serve", "startup", "shutdown"):
        wanted = list(inspect.signature(getattr(uvicorn.Server, name)).parameters)
        ours = inspect.signature(getattr(bolide.Server, name)).parameters
        assert list(ours) == wanted
    server = bolide.Server(bolide.Config(apps.hello))
    assert not (server.started or server.should_exit or server.force_exit)
    assert server.config.app is apps.hello


def test_a_config_has_the_methods_of_its_config():
    theirs = public(uvicorn.Config) - {"setup_event_loop", "configure_logging"}
    assert theirs <= set(dir(bolide.Config))


def test_load_imports_the_application(monkeypatch):
    config = bolide.Config("apps:hello")
    assert (config.app, config.loaded) == ("apps:hello", False)
    config.load()
    assert (config.loaded_app, config.loaded) == (apps.hello, True)


def test_protocol_classes_are_ignored():
    config = bolide.Config(apps.hello, http=type("A", (), {}), ws="package.module:B")
    said = [
        "ws: a class is ignored: it has no effect in bolide",
        "--http A is ignored: bolide has its own parser",
    ]
    assert sorted(config.notes) == sorted(said)


def test_common_variables_are_read_for_programs_too(monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.1.2.3")
    config = bolide.Config(apps.hello)
    # Its own loggers would get what later tests log.
    theirs = uvicorn.Config(apps.hello, log_config=None)
    assert config.workers == theirs.workers == 3
    assert config.forwarded_allow_ips == theirs.forwarded_allow_ips == "10.1.2.3"
    config = bolide.Config(apps.hello, workers=2, forwarded_allow_ips="*")
    assert (config.workers, config.forwarded_allow_ips) == (2, "*")
    monkeypatch.setenv("WEB_CONCURRENCY", "many")
    with pytest.raises(bolide.ConfigError, match="workers takes 1 to 512 or auto"):
        bolide.Config(apps.hello)


def test_its_choices_are_accepted():
    for field, theirs in [
        ("loop", uvicorn.config.LOOP_FACTORIES),
        ("ws", uvicorn.config.WS_PROTOCOLS),
        ("http", uvicorn.config.HTTP_PROTOCOLS),
        ("lifespan", uvicorn.config.LIFESPAN),
        ("log_level", uvicorn.config.LOG_LEVELS),
    ]:
        for choice in theirs:
            bolide.Config(apps.hello, **{field: choice})


def test_http2_is_on_by_default():
    assert bolide.Config(apps.hello).http2
    assert gather(["a:b", "--http2"], {}).values()["http2"] is True
    (option,) = [x for x in options.OPTIONS if x.name == "--http2"]
    assert option.default == "on"


def test_its_exit_codes_are_matched(capsys):
    """An error that stops its command stops ours, with a nonzero code."""
    assert run_here(capsys, "no_such_module:app")[0] == 1
    assert cli.parse(["a:b", "--ssl-cert-reqs", "2"], {})["ssl_cert_reqs"] == "2"
