"""An application that cannot be loaded: one line says why, the exit code is 1."""

import os
import re

import pytest
from command import HERE, run, run_here, serve, talk
from command import request as head
from here import Here

FAILS = [
    ("nothing:app", f'there is no module "nothing" in {HERE}, nor is one installed'),
    ("apps.no:app", f'there is no module "apps.no" in {HERE}, nor is one installed'),
    ("apps.py:hello", 'there is no module "apps.py"; the module of apps.py is "apps"'),
    ("apps:helo", 'module "apps" has no attribute "helo"; did you mean "hello"?'),
    ("apps:xyzzy", 'module "apps" has no attribute "xyzzy"'),
    ("apps:hello.there", '"hello" has no attribute "there"'),
    (
        "apps:not_callable",
        '"apps:not_callable" is not an application: '
        "an object of type int cannot be called",
    ),
    (
        "apps:Broken",
        'what the factory "apps:Broken" returns is not an application: '
        "an object of type Broken cannot be called",
    ),
    ("apps:wsgi", '"apps:wsgi" looks like WSGI: serve it with --interface wsgi'),
    (
        "apps:not_callable --factory",
        '"apps:not_callable" is not a factory: an object of type int cannot be called',
    ),
    (
        "apps:create_nothing --factory",
        'what the factory "apps:create_nothing" returns is not an application: '
        "an object of type NoneType cannot be called",
    ),
]


@pytest.mark.parametrize(("words", "text"), FAILS, ids=[x[0] for x in FAILS])
def test_an_application_that_cannot_be_loaded_is_reported_in_one_line(
    words, text, capsys
):
    code, out, err = run_here(capsys, *words.split(), "--app-dir", str(HERE))
    assert (code, out) == (1, "")
    time, said = err[:19], err[19:]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time)
    assert said == f" error    {text}\n"


@pytest.fixture
def broken(capsys, tmp_path):
    """Return what the command prints about a module with this text."""

    def run(text):
        (tmp_path / "broken.py").write_text(text)
        code, out, err = run_here(capsys, "broken:app", "--app-dir", str(tmp_path))
        assert (code, out) == (1, "")
        assert "app_loader.py" not in err
        assert "importlib" not in err
        return err

    return run


def test_a_module_that_raises_shows_only_its_own_frames(broken, tmp_path):
    err = broken("def f():\n    raise ValueError('no\\nluck')\nf()\n")
    first, *rest = err.splitlines()
    assert first.endswith(
        'module "broken" raises an exception when it is imported: ValueError: no'
    )
    assert rest[0] == "  Traceback (most recent call last):"
    assert f'"{tmp_path}/broken.py", line 3, in <module>' in rest[1]
    assert rest[-2:] == ["  ValueError: no", "  luck"]


def test_a_syntax_error_shows_the_line(broken):
    err = broken("app = = 1\n")
    assert (
        'module "broken" raises an exception when it is imported: '
        "SyntaxError: invalid syntax" in err
    )
    assert "app = = 1" in err


def test_a_missing_import_is_reported_with_its_location(broken, tmp_path):
    err = broken("\nimport no_such_package.sub\n")
    assert err.endswith(
        'module "broken" imports "no_such_package", which is not installed '
        f"({tmp_path}/broken.py, line 2)\n"
    )


def test_an_exit_of_the_module_ends_the_command(tmp_path):
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(7)\n")
    assert run("leaves:app", "--app-dir", str(tmp_path)) == (7, "", "")


def test_a_factory_that_raises_shows_its_frames():
    code, _, err = run("apps:create_broken", "--factory")
    assert code == 1
    assert (
        'the factory "apps:create_broken" raises an exception: ValueError: no settings'
        in err
    )
    assert "in create_broken" in err
    assert "app_loader.py" not in err


def test_a_loop_that_is_not_installed_is_reported(tmp_path):
    (tmp_path / "rloop.py").write_text("raise ImportError\n")
    hidden = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    code, _, err = run("apps:hello", "--loop", "rloop", env=hidden)
    assert code == 1
    assert err.endswith("error    loop rloop: it is not installed\n")


def test_a_process_reports_an_application_that_cannot_be_loaded():
    code, out, err = run("apps:helo")
    assert (code, out, err[19:].count("\n")) == (1, "", 1)
    assert err.endswith('has no attribute "helo"; did you mean "hello"?\n')


@pytest.mark.parametrize(
    ("name", "factory", "body"),
    [
        ("hello", False, b"hello"),
        ("create", True, b"hello"),
        ("create_optional", True, b"hello"),
        ("double", False, b"double"),
    ],
)
def test_valid_application_names_are_served(name, factory, body):
    with Here(f"apps:{name}", factory=factory) as server:
        assert talk(server.port, head()).endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop", "rloop"])
def test_the_loop_is_the_configured_one(kind):
    pytest.importorskip(kind)
    with serve("loop_name", "--loop", kind) as command:
        name = talk(command.port(), head()).rpartition(b"\r\n\r\n")[2].decode()
        assert name.split(".")[0].lstrip("_") == kind
        assert f", {kind}, CPython" in command.err.text
        assert command.stop() == 0


def test_auto_uses_uvloop_if_it_is_installed():
    pytest.importorskip("uvloop")
    with serve("loop_name") as command:
        assert talk(command.port(), head()).endswith(b"\r\n\r\nuvloop")


def test_auto_uses_asyncio_if_uvloop_is_not_installed(tmp_path):
    (tmp_path / "uvloop.py").write_text("raise ImportError\n")
    hidden = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    with serve("loop_name", env=hidden) as command:
        assert talk(command.port(), head()).endswith(b"\r\n\r\nasyncio.unix_events")


def test_a_custom_loop_factory_is_used():
    with serve(
        "whose_loop", "--loop", "apps:make_loop", "--lifespan", "off"
    ) as command:
        assert talk(command.port(), head()).endswith(b"True")
    code, _, err = run("apps:hello", "--loop", "apps:no_such")
    assert code == 1
    assert 'loop cannot be used: module "apps" has no attribute "no_such"' in err
    with serve("loop_name", "--loop", "none") as command:
        assert talk(command.port(), head()).endswith(b"asyncio.unix_events")


def test_a_wsgi_application_is_served():
    data = b"POST /a%20b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    data += b"Content-Length: 4\r\n\r\nbody"
    with serve("wsgi", "--interface", "wsgi") as command:
        assert b"POST /a b " in talk(command.port(), data)
        assert command.stop() == 0


def test_wsgi_without_a2wsgi_is_reported(tmp_path):
    (tmp_path / "a2wsgi.py").write_text("raise ImportError\n")
    hidden = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    code, _, err = run("apps:wsgi", "--interface", "wsgi", env=hidden)
    assert code == 1
    text = "a WSGI application needs a2wsgi: pip install a2wsgi\n"
    assert err.endswith(text)
    assert err.count("\n") == 1
