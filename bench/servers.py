"""The servers that are compared: how each is started, with one worker, without logs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from measure import wait_for_port

HERE = Path(__file__).parent
CORE_OF_SERVER, CORE_OF_CLIENT = "0", "1"
BIN = Path(sys.executable).parent
QUIET = "--no-access-log --log-level warning"

COMMANDS = {
    "bolide": f"{sys.executable} -m bolide apps:{{app}} --port {{port}} {QUIET}"
    " --timeout-keep-alive 300",
    "bolide/asyncio": f"{sys.executable} -m bolide apps:{{app}} --port {{port}} {QUIET}"
    " --loop asyncio",
    "peregrine": f"{BIN}/peregrine apps:{{app}} --port {{port}}"
    " --max-connections 20000",
    "weft": f"{BIN}/weft apps:{{app}} --port {{port}}",
    "granian": f"{BIN}/granian --interface asgi apps:{{app}} --port {{port}}"
    " --no-log --workers 1",
    "fastpysgi": f"{sys.executable} serve_fastpysgi.py {{app}} {{port}}",
    "uvicorn": f"{BIN}/uvicorn apps:{{app}} --port {{port}} {QUIET}"
    " --loop uvloop --http httptools --timeout-keep-alive 300",
    "h2corn": f"{BIN}/h2corn apps:{{app}} --bind 127.0.0.1:{{port}}",
    "socketify": f"{sys.executable} -m socketify apps:{{app}} --port {{port}}"
    " --interface asgi --disable-listen-log True --task-factory-maxitems 1000"
    " --lifespan off",
    "nginx": "nginx -c {config}",
}

TLS = {
    "bolide": " --ssl-certfile {cert} --ssl-keyfile {key}",
    "bolide/asyncio": " --ssl-certfile {cert} --ssl-keyfile {key}",
    "peregrine": " --tls-cert {cert} --tls-key {key}",
    "weft": " --tls-cert {cert} --tls-key {key}",
    "granian": " --ssl-certificate {cert} --ssl-keyfile {key}",
    "uvicorn": " --ssl-certfile {cert} --ssl-keyfile {key}",
    "h2corn": " --certfile {cert} --keyfile {key}",
    "nginx": "",
}
"""What each server's command has more for TLS; the others do not speak it."""

PACKAGES = {"peregrine": "peregrine-server", "weft": "weft-server"}
"""Their names on PyPI, where these are others."""

H2 = {"bolide", "bolide/asyncio", "peregrine", "weft", "granian", "h2corn", "nginx"}
"""Those that speak HTTP/2."""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid;
error_log {folder}/error.log crit;
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
    server {{
        listen 127.0.0.1:{port} backlog=4096{listen};
        {tls}
        location / {{
            default_type "text/plain; charset=utf-8"; return 200 "Hello, world!";
        }}
    }}
}}
"""


RESTLESS = {"fastpysgi", "weft"}
"""Those that take CPU time while they have nothing to do."""


def is_there(name):
    """Return whether the server is installed."""
    if name in ("fastpysgi", "socketify"):
        command = [sys.executable, "-c", f"import {name}"]
        return subprocess.run(command, capture_output=True).returncode == 0
    program = COMMANDS[name].split()[0]
    return shutil.which(program) is not None


def can(name, work):
    """Return whether the server speaks what the work asks for."""
    if name == "nginx" and not work.has_nginx:
        return False
    return (not work.tls or name in TLS) and (not work.streams or name in H2)


def make_certificate(folder):
    """Make a key on P-256 and a certificate of it; return both paths."""
    cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    command += f" -nodes -days 2 -subj /CN=localhost -out {cert} -keyout {key}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def command_of(name, work, port, folder, options):
    """Return the command that starts a server; nginx's configuration is written."""
    places = {"app": work.app, "port": port, "config": Path(folder, "nginx.conf")}
    places["folder"] = folder
    command, tls, listen = f"{COMMANDS[name]} {options}", "", ""
    if work.tls:
        places["cert"], places["key"] = make_certificate(folder)
        command += TLS[name]
        tls = "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {cert};"
        tls = (tls + " ssl_certificate_key {key};").format(**places)
        listen = " ssl"
    if work.streams:
        listen += " http2"
    text = NGINX.format(folder=folder, port=port, listen=listen, tls=tls)
    places["config"].write_text(text)
    return command.format(**places).split()


@contextmanager
def running(name, work, port, options=""):
    """Start a server for a kind of work, pinned to its core; give the process."""
    with tempfile.TemporaryDirectory() as folder:
        command = command_of(name, work, port, folder, options)
        process = subprocess.Popen(
            ["taskset", "-c", CORE_OF_SERVER, *command],
            cwd=HERE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for_port(port, process)
            yield process
        finally:
            stop(process)


@contextmanager
def at_work(name, process):
    """Let a server run that ``rest`` has stopped, for a while."""
    os.killpg(process.pid, signal.SIGCONT)
    try:
        yield
    finally:
        rest(name, process)


def rest(name, process):
    """Stop a server where it is if it would cost the others something."""
    if name in RESTLESS:
        os.killpg(process.pid, signal.SIGSTOP)


def stop(process):
    """End the process group, at last by force."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)
    for signal_number in (15, 9):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
