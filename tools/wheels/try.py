"""Installs a wheel with pip in a folder with another system and serves FastAPI with it.

usage: try.py ROOT [--python PROGRAM] [--dist DIR] [--platform TAG]...

ROOT is a root file system (debootstrap creates one) with a Python and its venv module;
"/" is this machine. pip itself finds the wheel for it in DIR. This machine's curl sends
requests over HTTP/1.1 and HTTP/2, with and without TLS, and aioquic sends one over
HTTP/3; then the server is stopped with SIGTERM. Prints one row of the table in
docs/INSTALL.md. A root other than "/" needs root.

With --platform the Python in ROOT needs neither pip nor venv: this machine's pip
installs packages with one of these tags for it.
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
from pathlib import Path

import get_h3

APP = """
import fastapi, os
app = fastapi.FastAPI()

@app.get("/items/{number}")
async def read(number: int, request: fastapi.Request):
    return {"number": number, "http": request.scope["http_version"],
            "scheme": request.scope["scheme"], "uid": os.getuid()}
"""
FACTS = """
import json, os, platform, sys
libc, number = platform.libc_ver()
libc = f"{libc} {number}" if number else "musl"
print(json.dumps([sys.version.split()[0], libc, platform.machine()]))
"""
PIP = "-m pip -q --disable-pip-version-check install --only-binary :all:".split()
LIBRARIES = 7
WAYS = {
    "HTTP/1.1": ("http", ["--http1.1"]),
    "h2": ("http", ["--http2-prior-knowledge"]),
    "TLS": ("https", ["--http1.1"]),
    "TLS h2": ("https", ["--http2"]),
    "h3": ("https", []),
}


class Root:
    """A root file system with a virtual environment created by this program."""

    def __init__(self, path: Path, python: str) -> None:
        self.path, self.python = path, python
        (path / "tmp").mkdir(exist_ok=True)
        self.outside = Path(tempfile.mkdtemp(prefix="bolide-try-", dir=path / "tmp"))
        self.inside = "/" + str(self.outside.relative_to(path))
        self.mounts: list[Path] = []
        self.installed = f"{self.inside}/venv/bin/python"
        """The Python that has bolide."""
        self.bolide = [f"{self.inside}/venv/bin/bolide"]
        if path != Path("/"):
            self._prepare()

    def _prepare(self) -> None:
        for name, kind in (("proc", "proc"), ("dev", None)):
            place = self.path / name
            place.mkdir(exist_ok=True)
            if not any(place.iterdir()) or not (self.path / "dev/urandom").exists():
                source = ["--rbind", "/dev"] if kind is None else ["-t", kind, kind]
                subprocess.run(["mount", *source, str(place)], check=True)
                self.mounts.append(place)
        for name in ("/etc/resolv.conf", "/etc/pip.conf", "/etc/hosts"):
            if Path(name).exists():
                shutil.copy(name, self.path / name[1:])
        bundle = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
        shutil.copy(bundle, self.outside / "authorities.pem")

    def close(self) -> None:
        """Remove what was created and mounted."""
        for place in reversed(self.mounts):
            subprocess.run(["umount", "-l", str(place)], check=False)
        shutil.rmtree(self.outside, ignore_errors=True)

    def command(self, *words: str) -> list[str]:
        """Return a command that runs inside."""
        enter = []
        if self.path != Path("/"):
            enter = [shutil.which("chroot") or "chroot", str(self.path)]
        ca = f"{self.inside}/authorities.pem"
        environ = ["env", "-i", "HOME=/tmp", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"]
        if self.path != Path("/"):
            environ += [f"PIP_CERT={ca}", f"PYTHONPATH={self.inside}/site"]
        return [*environ, *enter, *words]

    def run(self, *words: str) -> str:
        """Run a command inside; return its output."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-3000:]}")
        return done.stdout


def install(root: Root) -> float:
    """Install with pip in a new virtual environment; return when it began."""
    root.run(root.python, "-m", "venv", f"{root.inside}/venv")
    pip = [root.installed, *PIP]
    root.run(*pip, "fastapi")
    began = time.monotonic()
    root.run(*pip, "--no-index", "--find-links", root.inside, "bolide")
    return began


def install_from_outside(root: Root, version: str, platforms: list[str]) -> float:
    """Install with the pip of this machine; return when it began."""
    root.installed = root.python
    root.bolide = [root.python, "-m", "bolide"]
    pip = [sys.executable, *PIP, "--target", str(root.outside / "site")]
    pip += ["--implementation", "cp", "--python-version", version]
    pip += [f"--platform={tag}" for tag in platforms]
    subprocess.run([*pip, "fastapi"], check=True)
    began = time.monotonic()
    found = ["--no-index", "--no-deps", "--find-links", str(root.outside)]
    subprocess.run([*pip, *found, "bolide"], check=True)
    return began


def free_port() -> int:
    """Return a port that is currently unused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(way: str, ports: dict[str, int], cert: Path) -> str | bytes:
    """Send one request; return the body of the response, or exit."""
    scheme, options = WAYS[way]
    if way == "h3":
        return get_h3.get(ports[scheme], "/items/7", cert, 60)
    url = f"{scheme}://127.0.0.1:{ports[scheme]}/items/7"
    words = ["curl", "-sS", "--max-time", "60", "--cacert", str(cert), *options, url]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{way}: {done.stderr}")
    return done.stdout


def ask(way: str, ports: dict[str, int], cert: Path) -> None:
    """Send one request; check what the application has received, or exit."""
    answer = json.loads(fetch(way, ports, cert))
    got = answer.get("number"), answer.get("scheme")
    assert got == (7, WAYS[way][0]), answer
    expected = "3" if way == "h3" else "2" if "h2" in way else "1.1"
    assert answer["http"] == expected, answer


def serve(root: Root, ports: dict[str, int], began: float) -> float:
    """Serve, send requests in each way, stop; return seconds from ``began``."""
    words = [*root.bolide, "app:app", "--app-dir", root.inside]
    words += ["--bind", f"127.0.0.1:{ports['http']},plain"]
    words += ["--bind", f"127.0.0.1:{ports['https']},tls"]
    words += ["--ssl-certfile", f"{root.inside}/cert.pem"]
    words += ["--ssl-keyfile", f"{root.inside}/key.pem", "--http3"]
    path = root.outside / "log"
    with path.open("w") as log:
        server = subprocess.Popen(root.command(*words), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 600
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", ports["https"])) == 0:
                    break
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server does not start:\n{path.read_text()}")
            time.sleep(0.05)
        ask("HTTP/1.1", ports, root.outside / "cert.pem")
        took = time.monotonic() - began
        for way in WAYS:
            ask(way, ports, root.outside / "cert.pem")
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
        assert code == 0, f"the server ended with {code}"
        return took
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def name_of(root: Path) -> str:
    """Return the name of the system in a folder."""
    text = (root / "etc/os-release").read_text()
    found = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.M))
    return found.get("PRETTY_NAME", found.get("NAME", "?"))


def main() -> int:
    """Try a wheel; print the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--python", default="python3")
    parser.add_argument("--dist", type=Path, default=Path("dist"))
    parser.add_argument("--platform", action="append")
    given = parser.parse_args()
    root = Root(given.root.resolve(), given.python)
    try:
        get_h3.certificate(root.outside)
        (root.outside / "app.py").write_text(APP)
        for wheel in given.dist.glob("*.whl"):
            shutil.copy(wheel, root.outside)
        version, libc, machine = json.loads(root.run(given.python, "-c", FACTS))
        if given.platform:
            began = install_from_outside(root, version, given.platform)
        else:
            began = install(root)
        installed = time.monotonic() - began
        ports = {"http": free_port(), "https": free_port()}
        took = serve(root, ports, began)
        listing = root.run(*(*root.bolide, "--version", "--verbose")).splitlines()
        built_in = [line for line in listing if line.endswith("(built in)")]
        assert len(built_in) == LIBRARIES, listing
        wheel = root.run(
            root.installed,
            "-c",
            "import importlib.metadata as m; print(m.distribution('bolide')"
            ".read_text('WHEEL').split('Tag: ')[1].strip())",
        ).strip()
        compiler = "yes" if shutil.which("cc", path=f"{root.path}/usr/bin") else "none"
        cells = [name_of(root.path), machine, libc, f"CPython {version}", f"`{wheel}`"]
        cells += [", ".join(WAYS), compiler, f"{installed:.1f} s", f"{took:.1f} s"]
        print("| " + " | ".join(cells) + " |")
        print("; ".join(listing), file=sys.stderr)
        return 0
    finally:
        root.close()


if __name__ == "__main__":
    sys.exit(main())
