"""``--user``, ``--group`` and ``--umask``: the identity of the application."""

import grp
import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from command import HERE, connect, request, run, serve, talk
from crews import pids


def others_can_reach(path):
    return all(x.stat().st_mode & stat.S_IXOTH for x in Path(path).resolve().parents)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not others_can_reach(HERE),
    reason="needs root, and files that other users can read",
)
KINDS = pytest.mark.parametrize(
    "words", [[], ["--workers", "2"], ["--workers", "1", "--preload"]],
    ids=["alone", "workers", "preload"],
)  # fmt: skip
NOBODY = pwd.getpwnam("nobody")
OTHER = next(x for x in grp.getgrall() if x.gr_gid not in (0, NOBODY.pw_gid))


def who(port):
    return talk(port, request()).partition(b"\r\n\r\n")[2].decode()


def answer(uid, gid, groups, umask):
    shown = ",".join(map(str, sorted(groups)))
    return f"{(uid,) * 3 + (gid,) * 3} {shown} {umask:03o}"


@needs_root
@KINDS
def test_a_user_is_set_with_its_groups(words):
    with serve("who", "--user", "nobody", "--umask", "027", *words) as command:
        groups = set(os.getgrouplist("nobody", NOBODY.pw_gid))
        wanted = answer(NOBODY.pw_uid, NOBODY.pw_gid, groups, 0o027)
        assert who(command.port()) == wanted
        assert command.stop() == 0


@needs_root
@KINDS
@pytest.mark.parametrize("by", ["name", "number"])
def test_a_group_replaces_that_of_the_user(words, by):
    group = OTHER.gr_name if by == "name" else str(OTHER.gr_gid)
    user = "nobody" if by == "name" else str(NOBODY.pw_uid)
    with serve("who", "--user", user, "--group", group, *words) as command:
        ids, groups, _ = who(command.port()).rsplit(" ", 2)
        assert ids == f"{(NOBODY.pw_uid,) * 3 + (OTHER.gr_gid,) * 3}"
        assert str(OTHER.gr_gid) in groups.split(",")
        assert "0" not in groups.split(",")
        assert command.stop() == 0


@needs_root
def test_a_group_alone_keeps_the_user():
    with serve("who", "--group", str(OTHER.gr_gid), "--workers", "1") as command:
        ids, groups, _ = who(command.port()).rsplit(" ", 2)
        assert ids == f"{(0,) * 3 + (OTHER.gr_gid,) * 3}"
        assert groups == str(OTHER.gr_gid)


@needs_root
def test_a_privileged_port_is_bound_before_the_user_changes():
    """The supervisor keeps its identity, to bind and to send signals."""
    with serve("who", "--user", "nobody", "--workers", "1") as command:
        command.port()
        assert os.stat(f"/proc/{command.process.pid}").st_uid == 0
        for pid in pids(command):
            assert os.stat(f"/proc/{pid}").st_uid == NOBODY.pw_uid


@pytest.mark.parametrize("words", [[], ["--workers", "2"]], ids=["alone", "workers"])
def test_the_umask_applies_to_files_of_the_application(tmp_path, words):
    path = tmp_path / "pid"
    words = ["--umask", "077", "--pid-file", str(path), *words]
    with serve("who", *words) as command:
        assert who(command.port()).endswith(" 077")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("words", [[], ["--workers", "4"]], ids=["alone", "workers"])
@pytest.mark.parametrize("option", ["user", "group"])
def test_an_unknown_user_or_group_is_reported_in_one_line(option, words):
    name = f"--{option}"
    code, out, err = run("apps:hello", "--port", "0", name, "no such", *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.endswith(f'{option} is not a {option} of this system: "no such"\n')


@needs_root
@pytest.mark.parametrize("words", [[], ["--workers", "4"]], ids=["alone", "workers"])
def test_a_change_that_is_not_permitted_is_reported_in_one_line(words):
    """The command runs as nobody, who may not read this folder: its code is
    imported before.
    """
    code = (
        "import os, sys, asyncio, bolide.cli.main\n"
        "import bolide.processes.supervisor, bolide.processes.privileges\n"
        "import encodings.idna, pwd, grp, apps\n"
        f"os.setgid({NOBODY.pw_gid}); os.setuid({NOBODY.pw_uid})\n"
        "bolide.cli.main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "apps:hello", "--port", "0", "--user", "root",
         "--app-dir", "/", *words],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": f"{HERE}:{os.environ['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip
    # gcov complains there that nobody cannot write its counts.
    lines = [x for x in done.stderr.splitlines() if not x.startswith("profiling:")]
    assert (done.returncode, len(lines)) == (1, 1), done.stderr
    assert lines[0].endswith('user cannot be "root": only root may change it')


@needs_root
def test_a_unix_socket_gets_the_configured_owner(tmp_path):
    path = tmp_path / "socket"
    bind = f"unix:{path},mode=660,owner=nobody:{OTHER.gr_name}"
    with serve("who", "--bind", bind, "--user", "nobody") as command:
        command.where()
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (NOBODY.pw_uid, OTHER.gr_gid)
        assert stat.S_IMODE(found.st_mode) == 0o660
        connect(path).close()
        assert command.stop() == 0
        assert not path.exists()
