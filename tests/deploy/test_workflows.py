"""actionlint accepts the files of GitHub Actions."""

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


def test_actionlint_accepts_the_workflows():
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("no actionlint (go install github.com/rhysd/actionlint/cmd/...)")
    files = sorted(str(x) for x in (TOP / ".github/workflows").glob("*.yml"))
    assert len(files) >= 2
    done = subprocess.run([program, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
