"""``--completion``: each shell completes options and their arguments."""

import os
import pty
import select
import shutil
import subprocess
import time

import pytest
from command import DEADLINE_S, run

from bolide.cli import completion
from bolide.cli.options import OPTIONS

needs = {
    shell: pytest.mark.skipif(
        shutil.which(shell) is None, reason=f"there is no {shell}"
    )
    for shell in completion.SHELLS
}


@pytest.fixture
def script(tmp_path):
    """Return a function that writes a shell's script and returns its path."""

    def write(shell):
        path = tmp_path / "completion"
        path.write_text(completion.script(shell))
        return path

    return write


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_names_every_option(shell):
    code, text, err = run("--completion", shell)
    assert (code, err) == (0, "")
    for option in OPTIONS:
        assert option.name.removeprefix("--") in text


def test_an_unknown_shell_is_rejected():
    text = "bolide: error: --completion is one of bash, zsh, fish, not 'tcsh'\n"
    assert run("--completion", "tcsh") == (2, "", text)


@needs["bash"]
def test_bash_completes(script):
    code = (
        f"source {script('bash')}; "
        'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _bolide; '
        'echo "${COMPREPLY[@]}"; }; '
        "try bolide --log-level wa; try bolide --por; try bolide --help we"
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("warning\n--port\nwebsockets\n", "")


@needs["fish"]
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("bolide --por", ["--port"]),
        ("bolide --log-level wa", ["warning"]),
        ("bolide --no-serv", ["--no-server-header"]),
        ("bolide --help web", ["websockets"]),
    ],
)
def test_fish_completes(script, line, found):
    code = f"source {script('fish')}; complete -C '{line}'"
    done = subprocess.run(["fish", "-N", "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    # fish 4 then also offers options that contain the letters typed so far.
    offered = [x.partition("\t")[0] for x in done.stdout.splitlines()]
    assert offered[: len(found)] == found


class Zsh:
    """An interactive zsh that has read the script; a test types into it."""

    def __init__(self, script, folder):
        self.out = folder / "line"
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ["TERM"] = "dumb"
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.pid = pid
        self.type(
            "autoload -U compinit; compinit -u -d ./dump\n"
            f"source {script}\n"
            f'tell() {{ print -r -- "$BUFFER" > {self.out} }}; zle -N tell; '
            "bindkey '^X' tell; touch ready\n"
        )
        self.wait_for(folder / "ready")

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, path):
        """Wait until ``path`` exists, and read what the terminal shows meanwhile."""
        shown, end = b"", time.monotonic() + DEADLINE_S
        while not path.exists() or (path == self.out and not path.read_text()):
            assert time.monotonic() < end, shown.decode(errors="replace")
            if select.select([self.fd], [], [], 0.02)[0]:
                shown += os.read(self.fd, 65536)

    def complete(self, line):
        """Return the line after TAB."""
        self.type(line + "\t\x18")
        self.wait_for(self.out)
        return self.out.read_text().strip()

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@needs["zsh"]
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("bolide --ssl-certf", "bolide --ssl-certfile"),
        ("bolide --log-level warn", "bolide --log-level warning"),
        ("bolide --help webs", "bolide --help websockets"),
    ],
)
def test_zsh_completes(script, tmp_path, line, completed):
    zsh = Zsh(script("zsh"), tmp_path)
    try:
        assert zsh.complete(line) == completed
    finally:
        zsh.close()
