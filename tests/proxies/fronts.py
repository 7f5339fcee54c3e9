"""Real proxies in front of a server, with the configurations of docs/PROXIES.md."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from serving import DEADLINE_S

DOCUMENT = Path(__file__).parents[2] / "docs" / "PROXIES.md"
STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def snippet(language):
    """Return the configuration of docs/PROXIES.md in ``language``."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)
    return found


def free_port():
    """Return a port that is currently unused."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def needed(program):
    """Return the program's path; skip if it is not installed."""
    path = shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
    if path is None:
        pytest.skip(f"{program} is not installed (tools/setup.sh --test does it)")
    return path


def replaced(text, changes):
    """Return ``text`` with each of ``changes`` applied; each has to match."""
    for old, new in changes.items():
        assert old in text, f"docs/PROXIES.md has no {old!r}"
        text = text.replace(old, new)
    return text


class Front:
    """Runs a proxy in front of the server at ``port`` within its block.

    ``plain`` and ``secure`` are its ports; both are the same for kinds without TLS.
    """

    def __init__(self, kind, port, folder, pair=None):
        self.plain, self.secure = free_port(), free_port()
        self.folder, self.pair, self.behind = folder, pair, port
        self.file = folder / "front.conf"
        self.words = getattr(self, kind.replace("-", "_"))()

    def nginx(self):
        """nginx as an HTTP proxy."""
        changes = {
            "127.0.0.1:8000": f"127.0.0.1:{self.behind}",
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.secure} ssl;",
            "/etc/ssl/site.pem": str(self.pair.cert),
            "/etc/ssl/site.key": str(self.pair.key),
        }
        paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        own = "".join(f"{x}_temp_path {self.folder}/{x};\n" for x in paths)
        http = f"access_log off;\n{own}{replaced(snippet('nginx'), changes)}"
        return self._nginx(f"http {{\n{http}}}\n")

    def nginx_stream(self):
        """nginx as a proxy of connections."""
        if not STREAM.exists():
            pytest.skip("nginx has no stream module (libnginx-mod-stream)")
        self.secure = self.plain
        changes = {
            "127.0.0.1:8000": f"127.0.0.1:{self.behind}",
            "listen 443;": f"listen 127.0.0.1:{self.plain};",
        }
        text = replaced(snippet("nginx-stream"), changes)
        return self._nginx(f"stream {{\n{text}}}\n", f"load_module {STREAM};\n")

    def _nginx(self, text, above=""):
        self.file.write_text(
            f"{above}daemon off;\npid {self.folder}/pid;\nworker_processes 1;\n"
            f"error_log {self.folder}/error.log;\nuser root;\n"
            f"events {{ worker_connections 512; }}\n{text}"
        )
        log = ["-e", f"{self.folder}/error.log"]
        return [needed("nginx"), "-p", str(self.folder), "-c", str(self.file), *log]

    def haproxy(self):
        """HAProxy as an HTTP proxy."""
        both = self.folder / "both.pem"
        both.write_text(self.pair.cert.read_text() + self.pair.key.read_text())
        changes = {
            "127.0.0.1:8000": f"127.0.0.1:{self.behind}",
            "bind :80\n": f"bind 127.0.0.1:{self.plain}\n",
            "bind :443": f"bind 127.0.0.1:{self.secure}",
            "/etc/ssl/site-and-key.pem": str(both),
        }
        return self._haproxy(replaced(snippet("haproxy"), changes))

    def haproxy_tcp(self):
        """HAProxy as a proxy of connections."""
        self.secure = self.plain
        changes = {
            "127.0.0.1:8000": f"127.0.0.1:{self.behind}",
            "bind :443": f"bind 127.0.0.1:{self.plain}",
        }
        return self._haproxy(replaced(snippet("haproxy-tcp"), changes))

    def haproxy_standard(self):
        """HAProxy with Forwarded as older versions can generate it."""
        self.words = self.haproxy()
        text = self.file.read_text().replace(
            "    option forwardfor\n",
            '    http-request set-header Forwarded "for=%[src];proto=https"\n',
        )
        self.file.write_text(text)
        return self.words

    def _haproxy(self, text):
        times = "timeout connect 5s\ntimeout client 60s\ntimeout server 60s\n"
        self.file.write_text(f"defaults\n{times}{text}")
        return [needed("haproxy"), "-db", "-f", str(self.file)]

    def caddy(self):
        """Caddy."""
        self.secure = self.plain
        changes = {
            "127.0.0.1:8000": f"127.0.0.1:{self.behind}",
            "example.com {": f"http://:{self.plain} {{\n    bind 127.0.0.1",
        }
        text = replaced(snippet("caddy"), changes)
        own = "{\n    admin off\n    auto_https off\n}\n"
        self.file.write_text(own + text)
        words = ["run", "--adapter", "caddyfile", "--config", str(self.file)]
        return [needed("caddy"), *words]

    def __enter__(self):
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}
        self.process = subprocess.Popen(
            self.words,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **home},
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "out").open("wb"),
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + DEADLINE_S
        while not self.is_open():
            assert self.process.poll() is None, (self.folder / "out").read_text()
            assert time.monotonic() < end, (self.folder / "out").read_text()
            time.sleep(0.02)
        return self

    def is_open(self):
        """Return whether it accepts connections."""
        with contextlib.suppress(OSError):
            self.connect().close()
            self.connect(secure=True).close()
            return True
        return False

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def connect(self, secure=False, source="127.0.0.1"):
        """Return a connection to the proxy from ``source``."""
        place = ("127.0.0.1", self.secure if secure else self.plain)
        return socket.create_connection(place, DEADLINE_S, source_address=(source, 0))
