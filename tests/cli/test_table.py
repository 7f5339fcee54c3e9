"""One table defines the parameters of Config, the engine's settings and the options.

Config is called like a dataclass, and raises the same errors for wrong calls.
"""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from bolide import Config, Server
from bolide.cli.options import OPTIONS
from bolide.config.groups import GROUPS
from bolide.config.rows import SETTINGS, in_order
from bolide.config.setting import setting, table

ROOT = Path(__file__).parents[2]
NOT_ROWS = ("app", "limits")
"""Parameters of Config that are not rows of the table."""


def test_the_first_settings_may_be_positional():
    config = Config("a:b", "127.0.0.2", 8001)
    assert (config.app, config.host, config.port) == ("a:b", "127.0.0.2", 8001)


@pytest.mark.parametrize(
    ("given", "named", "text"),
    [
        ((), {}, "Config() misses app"),
        (("a:b",), {"prot": 1}, "Config() got an unexpected keyword argument 'prot'"),
        (("a:b",), {"app": "c:d"}, "Config() got 'app' twice"),
        (("a:b",), {"_": 1}, "Config() got an unexpected keyword argument '_'"),
    ],
)
def test_a_wrong_call_raises_type_error(given, named, text):
    with pytest.raises(TypeError) as caught:
        Config(*given, **named)
    assert str(caught.value) == text


def test_keyword_only_settings_cannot_be_positional():
    kinds = [x.kind for x in inspect.signature(Config).parameters.values()]
    count = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert 0 < count < len(kinds)
    with pytest.raises(TypeError, match=f"takes {count} positional arguments"):
        Config("a:b", *[None] * count)


def test_configs_share_no_mutable_default():
    one, two = Config("a:b"), Config("a:b")
    one.headers.append(("a", "b"))
    one.bind.append("x")
    assert (two.headers, two.bind) == ([], [])


def test_limits_are_applied_and_not_stored():
    config = Config("a:b", limits={"limit_fields": 7})
    assert config.limit_fields == 7
    assert "limits" not in vars(config)


def test_a_subclass_inherits_the_signature_unless_it_defines_one():
    class Same(Config):
        pass

    class Own(Config):
        def __init__(self, place):
            super().__init__(app="a:b", host=place)

    assert inspect.signature(Same) == inspect.signature(Config)
    assert list(inspect.signature(Own).parameters) == ["place"]
    assert Own("127.0.0.2").host == "127.0.0.2"


def test_each_setting_is_a_parameter_and_an_option_or_only_for_programs():
    parameters = inspect.signature(Config).parameters
    assert [x.name for x in SETTINGS] == [x for x in parameters if x not in NOT_ROWS]
    assert all(parameters[x.name].default == x.default for x in SETTINGS)
    with_option = [x for x in SETTINGS if x.group]
    assert sorted(x.name for x in in_order()) == sorted(x.name for x in with_option)
    assert {x.group for x in with_option} == set(GROUPS)
    assert [x.field for x in OPTIONS if x.field] == [x.name for x in in_order()]
    assert {x.name for x in SETTINGS} - {x.name for x in with_option} == {
        "timeout_notify",
        "callback_notify",
        "ssl_context_factory",
    }


@pytest.mark.parametrize("row", SETTINGS, ids=[x.name for x in SETTINGS])
def test_each_row_is_complete(row):
    if not row.group:
        return
    assert row.help
    assert bool(row.example) == bool(row.takes or row.choices)
    assert row.highest is None or row.default is None or row.check(row.default) >= 0


def keys_of(name):
    """Return the keys of a TypedDict in the stub of the engine."""
    tree = ast.parse((ROOT / "bolide" / "_engine.pyi").read_text(encoding="utf-8"))
    body = next(x for x in tree.body if getattr(x, "name", "") == name).body
    return {x.target.id for x in body if isinstance(x, ast.AnnAssign)}


def test_the_engine_s_keys_are_documented():
    server = Server(Config("a:b", ssl_certfile="cert.pem"))
    settings = server._engine_settings()
    assert set(settings) == keys_of("ServerSettings")
    assert set(settings["tls"]) == keys_of("TLSSettings")


def test_type_checkers_know_the_settings(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(
        "import bolide\n"
        "from bolide.config import LOGGING_CONFIG, Config\n"
        "config = bolide.Config('a:b', '::1', 80, timeout_head=3.5, bind=['x'])\n"
        "reveal_type(config.timeout_head)\n"
        "Config('a:b', log_config=LOGGING_CONFIG, limits={'limit_fields': 3})\n"
        "bolide.Config('a:b', prot=1)\n"
        "bolide.Config('a:b', port='x')\n"
        "bolide.Config(port=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "user.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": "cache"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    said = [x.split(": ", 2)[2] for x in lines if x.startswith("user.py:")]
    assert said == [
        'Revealed type is "float | None"',
        'Unexpected keyword argument "prot" for "Config"  [call-arg]',
        'Argument "port" to "Config" has incompatible type "str"; expected "int"'
        "  [arg-type]",
        'Missing positional argument "app" in call to "Config"  [call-arg]',
    ], done.stdout


def test_a_table_may_have_few_rows():
    @table
    class Small:
        a: "int" = setting(default=1, low=0, high=9)
        _: "KW_ONLY"  # noqa: F821
        b: "float" = setting(default=2, unit="s")

        def __post_init__(self):
            self.sum = self.a + self.b

    assert (Small().sum, Small(3, b=4).sum, Small.a) == (3, 7, 1)
    assert [x.option for x in Small.rows] == ["--a", "--b"]
    with pytest.raises(TypeError):
        Small(1, 2)
