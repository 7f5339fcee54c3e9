"""The import rules of the package, and that they find violations."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """Return the problems of a package with these modules."""
    where = TOOLS / "package_layers.py"
    spec = importlib.util.spec_from_file_location("package_layers", where)
    layers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(layers)
    monkeypatch.chdir(tmp_path)
    allowed = {("bolide.config.a", "bolide.run"): "for a reason"}
    monkeypatch.setattr(layers, "WHEN_CALLED", allowed)

    def problems(**modules):
        for name, text in modules.items():
            path = tmp_path / "bolide" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        found = layers.problems()
        return [x for x in found if "does not import" not in x]

    return problems


def check_layers(*words):
    """Run the rules; return exit code, output and error."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    command = [sys.executable, str(TOOLS / "check_layers.py"), *words]
    how = {"cwd": ROOT, "env": environ, "text": True, "check": False}
    done = subprocess.run(command, capture_output=True, **how)
    return done.returncode, done.stdout, done.stderr


def test_the_package_has_layers_without_cycles():
    assert check_layers() == (0, "", "")
    code, out, err = check_layers("--draw")
    assert (code, err) == (0, "")
    names = [x.split()[0] for x in out.splitlines() if x]
    assert names.index("cli") < names.index("logs") < names.index("config")


def test_an_import_points_down(problems):
    assert problems(server="from bolide.config import a", config__a="") == []
    assert problems(config__a="from bolide.server import x") == [
        "bolide.config.a may not import bolide.server: it is not below",
        "a circle of imports: bolide.config.a -> bolide.server -> bolide.config.a",
    ]


def test_an_import_that_points_up_is_allowed_by_name_in_a_function(problems):
    code = "def f():\n    import bolide.run\n"
    assert problems(run="", config__a=code) == []
    assert len(problems(config__b=code)) == 1
    assert len(problems(config__a="import bolide.run")) == 2


def test_modules_of_a_folder_have_no_cycle(problems):
    found = problems(
        config__a="from bolide.config.b import x",
        config__b="def f():\n    from bolide.config import c",
        config__c="from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from bolide.config import a",
    )
    assert found == [
        "a circle of imports: bolide.config.a -> bolide.config.b -> bolide.config.c"
        " -> bolide.config.a"
    ]


def test_a_module_belongs_to_a_layer(problems):
    assert problems(other="") == ["bolide.other: there is no layer other"]
