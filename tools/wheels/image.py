"""Checks a Dockerfile without a container engine: runs its steps in a copy of a root.

usage: image.py DOCKERFILE ROOT APP [--dist DIR]

ROOT, with the Python of the image (debootstrap creates one), replaces the base image of
each stage, and is copied. APP is the build context, with requirements.txt and main.py;
pip finds the wheel in DIR. Then ENTRYPOINT and CMD run as process 1, as the image's
user; the health check must succeed, a request must be answered, and after SIGTERM all
must exit with 0. Then the same with arguments of `docker run` for TLS and HTTP/3, as a
comment in the Dockerfile shows them. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import get_h3

DEADLINE_S = 120
TLS = "/etc/tls"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments."""
    lines = [x for x in text.splitlines() if x.strip() and not x.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [tuple(x.split(None, 1)) for x in joined]  # type: ignore[misc]


class Image:
    """One stage: a root, and the settings of its instructions."""

    def __init__(self, base: Path, scratch: Path) -> None:
        self.root = scratch
        subprocess.run(["cp", "-a", f"{base}/.", str(scratch)], check=True)
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.folder, self.user = "/", "0"
        self.entry: list[str] = []
        self.command: list[str] = []
        self.health: list[str] = []
        for name in ("/etc/resolv.conf", "/etc/pip.conf"):
            if Path(name).exists():
                shutil.copy(name, self.root / name[1:])

    def enter(self, words: list[str], user: str = "0") -> list[str]:
        """Return a command that runs inside, with the stage's folder and variables."""
        variables = [f"{k}={v}" for k, v in self.env.items()]
        place = ["chroot", f"--userspec={user}:{user}", str(self.root)]
        shell = 'cd "$0" && exec "$@"'
        return [
            *(*place, "/usr/bin/env", "-i", *variables),
            *("/bin/sh", "-c", shell, self.folder, *words),
        ]

    def apply(self, name: str, rest: str, app: Path, stages: dict[str, Image]) -> None:
        """Execute one instruction."""
        if name == "RUN":
            ca = {"PIP_CERT": "/authorities.pem", "PIP_FIND_LINKS": "/wheels"}
            kept, self.env = self.env, {**self.env, **ca}
            subprocess.run(self.enter(["/bin/sh", "-c", rest]), check=True)
            self.env = kept
        elif name == "ENV":
            for key, value in re.findall(r"(\w+)=(\S+)", rest):
                old = self.env.get("PATH", "")
                self.env[key] = value.replace("$PATH", old)
        elif name == "WORKDIR":
            self.folder = rest
            (self.root / rest[1:]).mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            self.user = rest
        elif name == "COPY":
            self._copy(rest.split(), app, stages)
        elif name in ("ENTRYPOINT", "CMD"):
            words = json.loads(rest)
            self.entry, self.command = (
                (words, []) if name == "ENTRYPOINT" else (self.entry, words)
            )
        elif name == "HEALTHCHECK":
            self.health = json.loads(rest.partition("CMD")[2])
        elif name not in ("EXPOSE", "STOPSIGNAL"):
            sys.exit(f"image: no instruction {name} is known")

    def _copy(self, words: list[str], app: Path, stages: dict[str, Image]) -> None:
        source = app
        if words[0].startswith("--from="):
            source = stages[words.pop(0).partition("=")[2]].root
        what, where = words
        target = self.root / os.path.normpath(os.path.join(self.folder, where))[1:]
        path = source / what.lstrip("/")
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
        else:
            place = target / path.name if target.is_dir() else target
            shutil.copy(path, place)


def build(given: argparse.Namespace, scratch: Path) -> Image:
    """Execute all instructions; return the last stage."""
    stages: dict[str, Image] = {}
    image = None
    for number, (name, rest) in enumerate(instructions(given.dockerfile.read_text())):
        if name == "FROM":
            image = Image(given.root, scratch / str(number))
            stages[rest.split()[-1]] = image
            (image.root / "wheels").mkdir()
            for wheel in given.dist.glob("*.whl"):
                shutil.copy(wheel, image.root / "wheels")
            bundle = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
            shutil.copy(bundle, image.root / "authorities.pem")
            (image.root / "dev/null").exists() or (image.root / "dev/null").touch(0o666)
            continue
        assert image is not None
        image.apply(name, rest, given.app, stages)
    assert image is not None
    return image


def secure(image: Image) -> list[str]:
    """Give the image a certificate; return the arguments that serve HTTP/3 with it."""
    folder = image.root / TLS[1:]
    folder.mkdir()
    get_h3.certificate(folder)
    os.chown(folder / "key.pem", int(image.user), -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--bind", "0.0.0.0:8000,plain", "--bind", f"0.0.0.0:{port},tls"]
    words += ["--ssl-certfile", f"{TLS}/cert.pem", "--ssl-keyfile", f"{TLS}/key.pem"]
    return [*words, "--http3", "--metrics-bind", "127.0.0.1:9100"]


def serve(image: Image, command: list[str], is_secure: bool = False) -> None:
    """Run it as process 1; exit with a message if it does not behave as expected."""
    words = image.enter([*image.entry, *command], image.user)
    proc = image.root / "proc"
    proc.mkdir(exist_ok=True)
    inside = ["unshare", "--pid", "--fork", f"--mount-proc={proc}", "--kill-child"]
    server = subprocess.Popen([*inside, *words])
    try:
        deadline = time.monotonic() + DEADLINE_S
        while subprocess.run(image.enter(image.health, image.user),
                             stderr=subprocess.DEVNULL).returncode != 0:  # fmt: skip
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit("image: it does not become healthy")
            time.sleep(0.2)
        with urllib.request.urlopen("http://127.0.0.1:8000/", timeout=30) as answer:
            assert answer.status == 200
        if is_secure:
            port = int(command[3].split(":")[1].split(",")[0])
            get_h3.get(port, "/", image.root / TLS[1:] / "cert.pem", 30)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        pid = int(children.split()[0])
        uid = re.search(r"^Uid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)
        inner = re.search(
            r"^NSpid:.*\t1$", Path(f"/proc/{pid}/status").read_text(), re.M
        )
        assert uid is not None and uid[1] == image.user, "not its user"
        assert inner is not None, "not process 1"
        os.kill(pid, signal.SIGTERM)
        assert server.wait(DEADLINE_S) == 0, "SIGTERM did not end it with 0"
    finally:
        if server.poll() is None:
            server.kill()
    answered = "answered over HTTP/3" if is_secure else "answered"
    print(
        f"image: healthy, {answered}, process 1 as user {image.user}, ended by SIGTERM"
    )


def main() -> int:
    """Check a Dockerfile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("app", type=Path)
    parser.add_argument("--dist", type=Path, default=Path("dist"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bolide-image-") as scratch:
        image = build(given, Path(scratch))
        compilers = [x for x in ("cc", "gcc") if (image.root / "usr/bin" / x).exists()]
        if compilers:
            print(f"image: the root has a compiler: {compilers[0]}")
        serve(image, image.command)
        serve(image, secure(image), is_secure=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
