# SPDX-License-Identifier: MIT
"""Extensions outside of this project: each recipe of docs/PYAWAITABLE.md, and the
header.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import bolide

DOCUMENT = Path(__file__).parents[2] / "docs" / "PYAWAITABLE.md"
BACKENDS = {
    "setuptools": "setuptools",
    "meson-python": "mesonpy",
    "scikit-build-core": "scikit_build_core",
}
USE = """
import asyncio, _module
async def get():
    return 42
aw = _module.spam(get, "the value:")
assert asyncio.run(aw) == 42
"""


def files(text):
    """Return the files shown in ``text``, by name."""
    blocks = re.findall(r"^```\w+\n(.*?)^```", text, re.M | re.S)
    named = (re.match(r"(?:#|/\*) (\S+\.\w+)", block) for block in blocks)
    return {m[1]: b for m, b in zip(named, blocks, strict=True) if m}


def recipe(name):
    """Return the files of a recipe, including the source of the module."""
    text = DOCUMENT.read_text(encoding="utf-8")
    _, _, section = text.partition(f"\n### {name}\n")
    assert section, name
    module = files(text)["module.c"]
    return {"module.c": module, **files(re.split(r"^##", section, flags=re.M)[0])}


def run(*args, **kwargs):
    """Run a command; return its output, which is shown if it fails."""
    done = subprocess.run(
        args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs
    )
    assert done.returncode == 0, f"{shlex.join(map(str, args))}\n{done.stdout}"
    return done.stdout


def is_there(name):
    """Return whether a build backend can build wheels here."""
    if importlib.util.find_spec(BACKENDS[name]) is None:
        return False
    if name != "setuptools" or importlib.util.find_spec("wheel") is not None:
        return True
    # Before 70.1 the package wheel builds them.
    major, minor = importlib.metadata.version(name).split(".")[:2]
    return (int(major), int(minor)) >= (70, 1)


def without_safe_path():
    """Return an environment in which scripts can import modules next to them."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_recipe_of_the_document_builds(name, tmp_path):
    if not is_there(name):
        pytest.skip(f"{name} is not installed")
    if importlib.util.find_spec("pip") is None:
        pytest.skip("there is no pip")
    source = tmp_path / "source"
    source.mkdir()
    for path, text in recipe(name).items():
        (source / path).write_text(text, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    run(*pip, "-w", tmp_path, source, env=without_safe_path())
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    # The extension runs without bolide.
    env = {"PYTHONPATH": str(tmp_path / "installed")}
    said = run(sys.executable, "-W", "error", "-X", "dev", "-c", USE, env=env)
    assert "the value: 42" in said


@pytest.mark.parametrize("name", BACKENDS)
def test_a_recipe_requires_bolide_for_the_isolated_build(name):
    requires = re.search(r"requires = (.*)", recipe(name)["pyproject.toml"])[1]
    assert '"bolide"' in requires and f'"{name}"' in requires


def test_the_include_folder_has_only_the_header():
    assert os.listdir(bolide.get_include()) == ["pyawaitable.h"]


def compile_c(tmp_path, sources, *flags, compiler="cc"):
    """Compile and link ``sources``, a dict from name to text; return the module's
    path.
    """
    for name, text in sources.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    out = tmp_path / ("_module" + sysconfig.get_config_var("EXT_SUFFIX"))
    include = ["-I", bolide.get_include(), "-isystem", sysconfig.get_path("include")]
    run(
        compiler,
        *flags,
        "-shared",
        "-fPIC",
        *include,
        *sources,
        "-o",
        out,
        cwd=tmp_path,
    )
    return out


def use(tmp_path):
    """Use the module."""
    run(sys.executable, "-X", "dev", "-c", USE, env={"PYTHONPATH": str(tmp_path)})


def module_c():
    """Return the document's module, with the slot converted for C++ and -pedantic."""
    text = files(DOCUMENT.read_text(encoding="utf-8"))["module.c"]
    slot = "{Py_mod_exec, module_exec}"
    assert slot in text
    return text.replace(slot, "{Py_mod_exec, (void *)(uintptr_t)module_exec}")


@pytest.mark.parametrize("standard", ["c11", "gnu11", "c17", "gnu99"])
def test_the_header_compiles_as_c_without_warnings(standard, tmp_path):
    flags = f"-std={standard} -pedantic -Wall -Wextra -Wno-unused-parameter -Werror"
    compile_c(tmp_path, {"module.c": module_c()}, *flags.split(), "-O2")
    use(tmp_path)


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler here")
@pytest.mark.parametrize("standard", ["c++17", "c++20"])
def test_the_header_compiles_as_cpp_without_warnings(standard, tmp_path):
    flags = f"-std={standard} -Wall -Wextra -Wno-unused-parameter -Werror"
    compile_c(tmp_path, {"module.cc": module_c()}, *flags.split(), compiler="c++")
    use(tmp_path)


SECOND = """
#include <Python.h>
#include <pyawaitable.h>
PyObject *make(PyObject *func, PyAwaitable_Callback cb) {
    PyObject *aw = PyAwaitable_New();
    if (aw == NULL)
        return NULL;
    PyObject *coro = PyObject_CallNoArgs(func);
    if (Py_TYPE(aw) != PyAwaitable_GetType() ||
        PyAwaitable_AddExpr(aw, coro, cb, NULL) < 0)
        Py_CLEAR(aw);
    return aw;
}
"""


@pytest.mark.parametrize("flags", ["-O0", "-O2", "-O2 -flto"])
@pytest.mark.parametrize("alone", [False, True], ids=["both", "declarations"])
def test_two_sources_are_one_extension(flags, alone, tmp_path):
    first = module_c().replace("PyObject *aw = PyAwaitable_New();", "")
    first = first.replace(
        "static PyObject *\nspam",
        "PyObject *make(PyObject *, PyAwaitable_Callback);\nstatic PyObject *\nspam",
    )
    first = re.sub(
        r"    if \(aw != NULL &&.*?Py_CLEAR\(aw\);\n",
        "    PyObject *aw = make(func, on_result);\n"
        "    if (aw != NULL && PyAwaitable_SaveValues(aw, 1, value) < 0)\n"
        "        Py_CLEAR(aw);\n",
        first,
        flags=re.S,
    )
    assert "make(func" in first
    define = "#define PYAWAITABLE_NO_IMPLEMENTATION\n" if alone else ""
    sources = {"module.c": first, "second.c": define + SECOND}
    out = compile_c(tmp_path, sources, *flags.split())
    use(tmp_path)
    exported = run("nm", "-D", "--defined-only", out)
    assert "awaitable" not in exported.lower()


def test_the_header_defines_no_unprefixed_names(tmp_path):
    names = ["queue_add", "values_free", "state_new", "with_enter", "stop_iteration"]
    own = "".join(f"int {name};\n" for name in names)
    own += "struct queue { int x; }; struct entry { int x; }; enum phase { SLOT };\n"
    compile_c(tmp_path, {"module.c": module_c() + own}, "-Werror")
