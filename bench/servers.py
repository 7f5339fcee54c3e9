"""The compared servers: how each is started, with one worker, without logs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from bodies import JSON
from measure import HTTP3, wait_for_port

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
"""Additional arguments for TLS; servers that are missing here do not support it."""

PACKAGES = {"peregrine": "peregrine-server", "weft": "weft-server"}
"""Their names on PyPI, if they are different."""

STATIC = {
    "bolide": " --static /static={folder}/static",
    "granian": " --static-path-route /static --static-path-mount {folder}/static",
    "nginx": "",
}
"""Additional arguments for static files; other servers do not have them."""

H2 = {"bolide", "bolide/asyncio", "peregrine", "weft", "granian", "h2corn", "nginx"}
"""Servers that support HTTP/2."""

H3 = {"bolide", "bolide/asyncio", "peregrine", "weft", "nginx"}
"""Servers that support HTTP/3; each has the option --http3."""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid;
error_log {folder}/error.log crit;
events {{ worker_connections 20000; }}
http {{
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2;
    fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
    server {{
        listen 127.0.0.1:{port} backlog=4096{listen};
        {quic}
        {tls}
        location / {{
            {answer}
        }}
    }}
    {more}
}}
"""

ANSWER = 'default_type "text/plain; charset=utf-8"; return 200 "Hello, world!";'
CODED = (
    "root {folder}; try_files /rows =404; default_type application/json;"
    " gzip on; gzip_comp_level 5; gzip_types application/json;"
)
FROM_CACHE = "proxy_pass http://unix:{folder}/origin; proxy_cache c;"
ORIGIN = """
    proxy_cache_path {folder}/cache keys_zone=c:1m;
    server {{
        listen unix:{folder}/origin;
        location / {{ expires 1h; {answer} }}
    }}
"""


RESTLESS = {"fastpysgi", "weft"}
"""Servers that use CPU time while they are idle."""


def is_there(name):
    """Return whether the server is installed."""
    if name in ("fastpysgi", "socketify"):
        command = [sys.executable, "-c", f"import {name}"]
        return subprocess.run(command, capture_output=True).returncode == 0
    program = COMMANDS[name].split()[0]
    return shutil.which(program) is not None


def can(name, work):
    """Return whether the server supports the protocols of the work."""
    if name == "nginx" and not work.has_nginx:
        return False
    if work.http3:
        return name in H3 and (HTTP3 / "h2load").exists()
    if work.file_bytes and name not in STATIC:
        return False
    if work.is_coded and not name.startswith(("bolide", "nginx")):
        return False
    return (not work.tls or name in TLS) and (not work.streams or name in H2)


def make_certificate(folder):
    """Create a key on P-256 and its certificate; return both paths."""
    cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    command += f" -nodes -days 2 -subj /CN=localhost -out {cert} -keyout {key}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def make_file(folder, size):
    """Create the file that is sent."""
    folder.mkdir()
    (folder / "file.bin").write_bytes(os.urandom(size))


def command_of(name, work, port, folder, options):
    """Return the command that starts a server; for nginx, write its configuration."""
    places = {"app": work.app, "port": port, "config": Path(folder, "nginx.conf")}
    places["folder"] = folder
    command, tls, listen, quic = f"{COMMANDS[name]} {options}", "", "", ""
    if work.tls:
        places["cert"], places["key"] = make_certificate(folder)
        command += TLS[name]
        tls = "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {cert};"
        tls = (tls + " ssl_certificate_key {key};").format(**places)
        listen = " ssl"
    if work.http3 and name == "nginx":
        command = f"{HTTP3}/{command}"
        quic = f"listen 127.0.0.1:{port} quic; http3_max_concurrent_streams 128;"
        quic += " keepalive_requests 1000000000;"
    elif work.http3:
        command += " --http3"
    elif work.streams:
        listen += " http2"
    answer, more = ANSWER, ""
    if work.file_bytes:
        make_file(Path(folder, "static"), work.file_bytes)
        command += "" if work.http3 else STATIC[name]
        answer = f"root {folder}; open_file_cache max=1000; sendfile on; tcp_nopush on;"
    if work.is_cached:
        answer = FROM_CACHE.format(folder=folder)
        more = ORIGIN.format(folder=folder, answer=ANSWER)
    if work.is_coded:
        Path(folder, "rows").write_bytes(JSON)
        answer = CODED.format(folder=folder)
    if name.startswith("bolide"):
        command = " ".join([command, *work.options])
    text = NGINX.format(
        folder=folder,
        port=port,
        listen=listen,
        quic=quic,
        tls=tls,
        answer=answer,
        more=more,
    )
    places["config"].write_text(text)
    return command.format(**places).split()


@contextmanager
def running(name, work, port, options="", env=None, cores=CORE_OF_SERVER):
    """Start a server for a kind of work, pinned to ``cores``; yield the process.

    ``env`` is its environment; without it, this process's.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = command_of(name, work, port, folder, options)
        process = subprocess.Popen(
            ["taskset", "-c", cores, *command],
            cwd=HERE,
            env=env,
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
    """Let a server run for a while that ``rest`` has stopped."""
    os.killpg(process.pid, signal.SIGCONT)
    try:
        yield
    finally:
        rest(name, process)


def rest(name, process):
    """Suspend a server if it would otherwise slow down the others."""
    if name in RESTLESS:
        os.killpg(process.pid, signal.SIGSTOP)


def stop(process):
    """Terminate the process group, and kill it if necessary."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)
    for signal_number in (15, 9):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
