"""Wrong usage is reported in one line, and the exit code is 2."""

import inspect

import pytest
from command import run, run_here

import bolide
from bolide.cli import help as usage
from bolide.cli import main as cli
from bolide.cli import options
from bolide.config.config import Config
from bolide.errors import ConfigError

WRONG = [
    ("", "no application given: name it as module:app, or see --help"),
    ("a:b c:d", "one application is served, not 2: a:b c:d"),
    ("app", '"app" is not of the form "module:attribute"'),
    ("app:", '"app:" is not of the form "module:attribute"'),
    ("a..b:app", '"a..b:app" is not of the form "module:attribute"'),
    ("app.py", '"app.py" is a file; give its module: "app:app"'),
    ("./src/app.py:x", '"./src/app.py:x" is a file; give its module: "src.app:x"'),
    ("a:create()", '"a:create()" is a call; give "a:create" and --factory'),
    ("a:b --prot 1", "there is no option --prot; did you mean --port?"),
    ("a:b --xyzzy", "there is no option --xyzzy"),
    ("a:b -x 1", "there is no option -x"),
    (
        "a:b -p 1",
        "there is no option -p: it is --port for daphne, --pid-file for gunicorn and "
        "hypercorn",
    ),
    ("a:b --relaod", "there is no option --relaod; did you mean --reload?"),
    ("a:b --port", "--port needs a value"),
    ("a:b --host --port 1", "--host needs a value"),
    ("a:b --verbose", "--verbose goes with --version"),
    ("a:b --port x", "--port takes a whole number, not 'x'"),
    ("a:b --port -1", "--port takes 0 to 65535, not -1"),
    ("a:b --port=65536", "--port takes 0 to 65535, not 65536"),
    ("a:b --backlog 0", "--backlog takes 1 to 65535 connections, not 0"),
    ("a:b --fd x", "--fd takes a whole number, not 'x'"),
    ("a:b --uds /s --fd 3", "--uds and fd exclude each other"),
    ("a:b --uds=", "--uds takes a path of 1 to 107 bytes"),
    ("a:b --uds " + "x" * 108, "--uds takes a path of 1 to 107 bytes"),
    ("a:b --bind 1:2:3", '--bind takes an IPv6 address in brackets, not "1:2:3"'),
    ("a:b --bind h:x", '--bind takes 0 to 65535, not "x" in "h:x"'),
    ("a:b --bind h:65536", '--bind takes 0 to 65535, not "65536" in "h:65536"'),
    ("a:b --bind fd://x", '--bind takes 0 to 1048576, not "x" in "fd://x"'),
    ("a:b --bind unix:", "--bind takes a path of 1 to 107 bytes"),
    ("a:b -b :1 -b :1", '-b names ":1" twice'),
    (
        "a:b --bind :1,mode=660",
        '--bind has no option "mode" (there: tls, plain, proxy-protocol) in '
        '":1,mode=660"',
    ),
    (
        "a:b --bind unix:/s,mod=6",
        '--bind has no option "mod" (there: mode, owner, tls, plain, proxy-protocol) '
        'in "unix:/s,mod=6"',
    ),
    (
        "a:b --bind unix:/s,mode=9",
        '--bind takes an octal mode, not "9" in "unix:/s,mode=9"',
    ),
    ("a:b --bind :1,tls", "--bind with tls needs --ssl-certfile"),
    ("a:b --bind :1,plain=1", '--bind takes no value for plain in ":1,plain=1"'),
    (
        "a:b --bind :1,proxy-protocol=v3",
        '--bind takes one of off, v1, v2, any for proxy-protocol, not "v3" in '
        '":1,proxy-protocol=v3"',
    ),
    ("a:b --workers 0", "--workers takes 1 to 512 or auto, not 0"),
    ("a:b --workers many", "--workers takes 1 to 512 or auto, not 'many'"),
    ("a:b --threads 0", "--threads takes 1 to 512, not 0"),
    (
        "a:b --threads 2",
        "--threads takes 1, for this CPython has a GIL; take workers instead",
    ),
    ("a:b --umask 8", "--umask takes an octal number, 000 to 777"),
    ("a:b --heartbeat -1", "--heartbeat takes 0 to 31622400 s, not -1"),
    ("a:b --heartbeat x", "--heartbeat takes a number, not 'x'"),
    ("a:b --env-file /none", '--env-file is not a readable file: "/none"'),
    ("a:b --factory=yes", "--factory takes no value"),
    ("a:b --http3=maybe", "--http3 takes no value other than auto"),
    ("a:b --app-dir /none", '--app-dir is not a directory: "/none"'),
    ("a:b --root-path api", "--root-path begins with \"/\", not 'api'"),
    ("a:b --lifespan maybe", "--lifespan is one of auto, on, off, not 'maybe'"),
    (
        "a:b --loop x",
        "--loop is one of auto, none, asyncio, uvloop, zuvloop, rloop, or module:name, "
        "not 'x'",
    ),
    (
        "a:b --log-level loud",
        "--log-level is one of critical, error, warning, info, debug, trace, not loud",
    ),
    ("a:b --header x", "--header takes NAME:VALUE, not 'x'"),
    ("a:b --header :x", "--header takes a valid field name, not ''"),
    ("a:b --header a:\x01", "--header takes no control characters: 'a: \\x01'"),
    ("a:b --header a:\u20ac", "--header takes latin-1 text, not 'a: \u20ac'"),
    (
        "a:b --header Connection:close",
        "--header cannot set Connection, which is the server's own",
    ),
    ("a:b --limit-head 1", "--limit-head takes 512 to 16777216 bytes, not 1"),
    ("a:b --limit-head 1.5", "--limit-head takes a whole number, not '1.5'"),
    ("a:b --timeout-head nan", "--timeout-head takes 0.05 to 86400 s, not nan"),
    ("a:b --timeout-head soon", "--timeout-head takes a number, not 'soon'"),
]


@pytest.mark.parametrize(("words", "text"), WRONG, ids=[x[0] or "-" for x in WRONG])
def test_wrong_usage_is_reported_in_one_line(words, text, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words.split(" ") if words else [])
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", f"bolide: error: {text}\n")


def test_the_process_exits_with_2():
    assert run("apps:hello", "--prot", "1") == (
        2,
        "",
        "bolide: error: there is no option --prot; did you mean --port?\n",
    )


def test_version_is_that_of_the_package():
    code, out, err = run("--version")
    assert (code, err) == (0, "")
    assert out.startswith(f"bolide {bolide.__version__} (CPython 3.")


def help_on(capsys, *words):
    code, out, err = run_here(capsys, *words)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 88
    return out


def test_help_on_all_names_every_option_with_its_default(capsys):
    words = " ".join(help_on(capsys, "--help", "all").split())
    for option in options.OPTIONS:
        assert f"{option.name} {option.takes}".rstrip() in words
        assert not option.default or f"(default: {option.default})" in words


def test_help_fits_on_a_screen(capsys):
    out = help_on(capsys, "--help")
    assert len(out.splitlines()) <= 50
    for name in usage.BASIC:
        assert f"{name}" in out
        assert name in {x.name for x in options.OPTIONS}
    assert "--ws-deflate-level" not in out
    assert help_on(capsys, "-h", "a:b") == out
    for topic in usage.topics():
        assert topic in out


def test_help_can_be_limited_to_a_topic(capsys):
    for topic, group in usage.topics().items():
        out = help_on(capsys, "--help", topic)
        assert out == help_on(capsys, f"--help={topic}")
        lines = [x.split() for x in out.splitlines() if x.startswith("  -")]
        named = {word.rstrip(",") for line in lines for word in line}
        shown = {x.name for x in options.OPTIONS if x.group == group}
        assert shown <= named
        assert len(lines) == len(shown)
    code, _, err = run_here(capsys, "--help=nothing")
    assert code == 2
    assert err.startswith("bolide: error: --help takes one of listen, app, ")


def parse(words, **environ):
    return cli.parse(words.split(), {f"BOLIDE_{k}": v for k, v in environ.items()})


def test_options_are_fields_of_a_config():
    """Each option of the command is a setting of Config."""
    only_for_programs = {"app", "limits", "timeout_notify", "callback_notify"}
    only_for_programs |= {"ssl_context_factory"}
    fields = set(inspect.signature(Config).parameters) - only_for_programs
    assert {x.field for x in options.OPTIONS if x.field} == fields


def shown(value):
    if value is None or isinstance(value, (str, list)):
        return value or ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.15g}"


def test_defaults_of_the_help_are_those_of_a_config():
    config = Config("a:b", app_dir=".")
    for option in options.OPTIONS:
        others = ("app_dir", "headers", "log_config", "use_colors")
        if option.field and option.field not in others:
            assert option.default == shown(getattr(config, option.field)), option.name


def test_the_last_option_wins_and_values_can_be_joined():
    assert parse("a:b --port=1 --port 2 --access-log --no-access-log") == {
        "app": "a:b",
        "port": 2,
        "access_log": False,
    }


def test_header_options_accumulate():
    fields = parse("a:b --header a:1 --header a:2:3")["headers"]
    assert fields == [("a", "1"), ("a", "2:3")]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("--http3 a:b", True),
        ("a:b --http3", True),
        ("a:b --http3 --reload", True),
        ("--http3 auto a:b", "auto"),
        ("a:b --http3=auto", "auto"),
    ],
)
def test_a_word_may_follow_a_switch(words, value):
    settings = parse(words)
    assert settings["app"] == "a:b"
    assert settings["http3"] == value
    assert parse("a:b", HTTP3="auto")["http3"] == "auto"


def test_two_dashes_end_the_options():
    assert parse("--port 1 -- a:b") == {"app": "a:b", "port": 1}


def test_the_environment_sets_what_the_command_line_does_not():
    settings = parse("--port 1", APP="a:b", PORT="2", HOST="::", ACCESS_LOG="off")
    assert settings == {"app": "a:b", "port": 1, "host": "::", "access_log": False}


def test_empty_variables_set_nothing():
    assert parse("a:b", PORT="", FACTORY="") == {"app": "a:b"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("PORT", "x", "BOLIDE_PORT takes a whole number, not 'x'"),
        ("FACTORY", "maybe", "BOLIDE_FACTORY is on or off, not 'maybe'"),
    ],
)
def test_an_invalid_variable_is_reported_by_name(name, value, text):
    with pytest.raises(cli.UsageError) as raised:
        parse("a:b", **{name: value})
    assert str(raised.value) == text


def test_a_config_names_the_wrong_setting():
    with pytest.raises(ConfigError) as raised:
        Config("a:b", limit_head=1)
    assert raised.value.name == "limit_head"
    assert str(raised.value) == "limit_head takes 512 to 16777216 bytes, not 1"


def test_a_config_accepts_limits_as_a_mapping():
    config = Config("a:b", limits={"timeout_head": 3}, timeout_keep_alive=1.5)
    assert (config.timeout_head, config.timeout_keep_alive) == (3, 1.5)
    assert config.for_engine()["keep_alive_ms"] == 1500
    with pytest.raises(ConfigError, match="limit_nothing is no limit"):
        Config("a:b", limits={"limit_nothing": 3})
