"""The servers under attack: bolide, and nginx for comparison."""

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "bench"))

from measure import TICKS_A_SECOND, rss_bytes  # noqa: E402

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; user root;
error_log {folder}/err info;
events {{ worker_connections 20000; }}
http {{
    access_log off; default_type text/plain;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{ listen 127.0.0.1:{sink}; client_max_body_size 0; return 200 "ok"; }}
    server {{
        listen 127.0.0.1:{http1} backlog=4096;
        listen 127.0.0.1:{http2} http2 backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        ssl_certificate {cert}; ssl_certificate_key {key};
        client_max_body_size 0; root {folder};
        location / {{ try_files /page =404; }}
        location /big {{ try_files /big =404; }}
        location /upload {{ proxy_pass http://127.0.0.1:{sink}; }}
    }}
}}
"""
"""Limits and timeouts are nginx's defaults."""

CORES = sorted(os.sched_getaffinity(0))


def free_ports(count):
    """Return ports that are currently unused."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
    return ports


def make_certificate(folder):
    """Create a key on P-256 and its certificate; return both paths."""
    cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
    if not cert.exists():
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
        command += f" -nodes -days 2 -subj /CN=localhost -out {cert} -keyout {key}"
        subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def pinned(core, nice=0, is_measured=False):
    """Return what a child does before it starts: select its core and its priority.

    The measured processes have real-time priority if that is permitted, so that
    unrelated programs do not influence the result.
    """

    def prepare():
        if len(CORES) > 1:
            os.sched_setaffinity(0, {CORES[core % len(CORES)]})
        os.setsid()
        try:
            if is_measured:
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            os.setpriority(os.PRIO_PROCESS, 0, nice)
            # If the kernel groups processes by session, only this has an effect.
            Path("/proc/self/autogroup").write_text(str(nice))
        except OSError:
            return

    return prepare


class Target:
    """A server that runs for a while: its ports, and what it uses."""

    def __init__(self, kind, folder, options="", files=0):
        self.kind, self.folder, self.files = kind, Path(folder), files
        self.cert, self.key = make_certificate(folder)
        names = ("http1", "http2", "tls", "sink")
        self.ports = dict(zip(names, free_ports(4), strict=True))
        if kind == "bolide":
            self.ports["http2"] = self.ports["http1"]
        self.ports["quic"] = self.ports["tls"]
        self.err = self.folder / "err"
        self.err.write_text("")
        self.words = getattr(self, kind)(options)

    def bolide(self, options):
        """Return the command: plain HTTP/1.1 and HTTP/2 on one port, TLS on the
        other.
        """
        words = f"-m bolide app:app --bind 127.0.0.1:{self.ports['http1']},plain"
        words += f" --bind 127.0.0.1:{self.ports['tls']} --ssl-certfile {self.cert}"
        words += f" --ssl-keyfile {self.key} --no-access-log --lifespan off {options}"
        return [sys.executable, *words.split()]

    def nginx(self, options):
        """Return the command of nginx; writes its configuration and its files."""
        (self.folder / "page").write_bytes(b"x" * 4096)
        with open(self.folder / "big", "wb") as file:
            file.truncate(100 << 20)
        config = self.folder / "nginx.conf"
        places = {"folder": self.folder, "cert": self.cert, "key": self.key}
        config.write_text(NGINX.format(**places, **self.ports))
        return [nginx_path(), "-e", str(self.err), "-c", str(config)]

    def limits(self):
        """Set the limits of the process, before it starts."""
        pinned(0, -15, True)()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = self.files or hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    def __enter__(self):
        self.process = subprocess.Popen(
            self.words,
            cwd=HERE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=self.limits,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.err.open("ab"),
        )
        end = time.monotonic() + 30
        while not self.is_open():
            assert self.process.poll() is None, self.err.read_text()
            assert time.monotonic() < end, self.err.read_text()
            time.sleep(0.02)
        return self

    def is_open(self):
        """Return whether it accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.ports["tls"]), 1).close()
        except OSError:
            return False
        return True

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def figures(self):
        """Return CPU seconds, resident bytes and open descriptors."""
        pid = self.process.pid
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(words[11]) + int(words[12])) / TICKS_A_SECOND
        return cpu, rss_bytes(pid), len(os.listdir(f"/proc/{pid}/fd"))

    def log_lines(self, since):
        """Return the lines that were logged after the first ``since`` bytes."""
        text = self.err.read_text(errors="replace")[since:]
        level = (
            r" (?:warning|error) " if self.kind == "bolide" else r"\[(?!notice)\w+\]"
        )
        return [line for line in text.splitlines() if re.search(level, line)]

    def log_size(self):
        """Return how much was logged."""
        return len(self.err.read_text(errors="replace"))


def nginx_path():
    """Return the path of nginx, or None."""
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
