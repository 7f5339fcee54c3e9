"""tools/gdb.py prints the structs of the engine in a readable form."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bolide import _engine

ROOT = Path(__file__).parents[2]
PROGRAM = Path(_engine.__file__).parents[2] / "tests" / "c" / "test_target"


@pytest.mark.skipif(not shutil.which("gdb"), reason="no gdb here")
@pytest.mark.skipif(not PROGRAM.exists(), reason="the C tests are not built")
def test_slices_are_printed_as_text_and_errors_by_name():
    done = subprocess.run(
        [
            *("gdb", "-q", "-batch", "-nx"),
            *("-ex", f"source {ROOT}/tools/gdb.py"),
            *("-ex", "break target_decode", "-ex", "run"),
            *("-ex", "print raw", "-ex", "print/r raw", "-ex", "err -2"),
            str(PROGRAM),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout
    if "Breakpoint 1, " not in said:
        pytest.skip(f"gdb cannot run a program here: {done.stderr[-200:]}")
    assert '$1 = "' in said, said
    assert "$2 = {ptr = " in said, said
    assert "\nERR_EOF\n" in said, said
