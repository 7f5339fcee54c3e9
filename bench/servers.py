"""The servers that are compared: how each is started, with one worker, without logs."""

import os
import shutil
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
    "nginx": "nginx -c {config}",
}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid;
error_log {folder}/error.log crit;
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            default_type "text/plain; charset=utf-8"; return 200 "Hello, world!";
        }}
    }}
}}
"""


def is_there(name):
    """Return whether the server is installed."""
    if name == "fastpysgi":
        return (
            subprocess.run([sys.executable, "-c", "import fastpysgi"]).returncode == 0
        )
    program = COMMANDS[name].split()[0]
    return shutil.which(program) is not None


@contextmanager
def running(name, app, port):
    """Start a server pinned to its core; give the process."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(NGINX.format(folder=folder, port=port))
        command = COMMANDS[name].format(app=app, port=port, config=config)
        process = subprocess.Popen(
            ["taskset", "-c", CORE_OF_SERVER, *command.split()],
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


def stop(process):
    """End the process group, at last by force."""
    for signal_number in (15, 9):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
