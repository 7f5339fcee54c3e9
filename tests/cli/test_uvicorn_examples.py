"""The examples of uvicorn's manual run after replacing one name."""

import json
import signal
import socket
import ssl
import subprocess

import pytest
import yaml
from command import DEADLINE_S, Command, connect, read_all, request, talk

APP = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
    })
    await send({"type": "http.response.body", "body": b"Hello, world!"})
"""

RUN = """
import uvicorn

if __name__ == "__main__":
    uvicorn.run("main:app", port=0, log_level="info")
"""

RUN_OBJECT = """
import uvicorn

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=0, log_level="info")
"""

RUN_WORKERS = """
import uvicorn

if __name__ == "__main__":
    uvicorn.run("main:app", port=0, workers=2)
"""

SERVER_RUN = """
import uvicorn

if __name__ == "__main__":
    config = uvicorn.Config("main:app", port=0, log_level="info")
    uvicorn.Server(config).run()
"""

SERVER_SERVE = """
import asyncio
import uvicorn

async def main():
    config = uvicorn.Config("main:app", port=0, log_level="info")
    server = uvicorn.Server(config)
    await server.serve()

if __name__ == "__main__":
    asyncio.run(main())
"""

BESIDE_A_TASK = """
import asyncio
import uvicorn

async def tick():
    while True:
        print("tick", flush=True)
        await asyncio.sleep(0.01)

async def main():
    ticking = asyncio.create_task(tick())
    await uvicorn.Server(uvicorn.Config("main:app", port=0)).serve()

if __name__ == "__main__":
    asyncio.run(main())
"""

FACTORY = """
def create_app():
    return app

if __name__ == "__main__":
    import uvicorn
    uvicorn.run("main:create_app", factory=True, port=0)
"""

IN_A_THREAD = """
import contextlib
import threading
import time
import urllib.request
import uvicorn

class Server(uvicorn.Server):
    @contextlib.contextmanager
    def run_in_thread(self):
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            while not self.started:
                time.sleep(0.001)
            yield
        finally:
            self.should_exit = True
            thread.join()

if __name__ == "__main__":
    server = Server(uvicorn.Config(app, port=0, log_level="info", lifespan="off"))
    with server.run_in_thread():
        host, port = server.servers[0].sockets[0].getsockname()
        print(urllib.request.urlopen(f"http://{host}:{port}/").read().decode())
    print("stopped")
"""

OVERRIDES = """
import contextlib
import uvicorn

class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield

    async def startup(self, sockets=None):
        await super().startup(sockets=sockets)
        print("serves", self.started, flush=True)

    async def main_loop(self):
        print("waits", flush=True)
        self.should_exit = True
        await super().main_loop()

    async def shutdown(self, sockets=None):
        await super().shutdown(sockets=sockets)
        print("is over", self.started, flush=True)

if __name__ == "__main__":
    Server(uvicorn.Config(app, port=0, lifespan="off")).run()
"""

HELLO = b"\r\n\r\nHello, world!"


@pytest.fixture
def script(tmp_path):
    """Return a function that runs an example as main.py, with uvicorn replaced."""

    def start(text, **kwargs):
        text = APP + text.replace("uvicorn", "bolide")
        (tmp_path / "main.py").write_text(text)
        code = (
            "import os, runpy, sys\n"
            f"os.chdir({str(tmp_path)!r}); sys.path.insert(0, {str(tmp_path)!r})\n"
            "runpy.run_path('main.py', run_name='__main__')"
        )
        return Command(code=code, **kwargs)

    return start


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "main.py").write_text(APP + FACTORY.partition("if __name__")[0])
    return ["--app-dir", str(tmp_path)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (RUN, 0),
        (RUN_OBJECT, 0),
        (RUN_WORKERS, 0),
        (SERVER_RUN, 0),
        (SERVER_SERVE, -signal.SIGTERM),
        (FACTORY, 0),
    ],
    ids=["run", "run-object", "workers", "server", "serve", "factory"],
)
def test_an_example_runs_from_a_program(script, text, code):
    with script(text) as program:
        assert talk(program.port(), request()).endswith(HELLO)
        assert program.stop() == code


def test_an_example_runs_with_another_task(script):
    with script(BESIDE_A_TASK) as program:
        port = program.port()
        program.out.line_with("tick")
        assert talk(port, request()).endswith(HELLO)
        assert program.stop() == -signal.SIGTERM


def test_an_example_runs_in_a_thread(script):
    with script(IN_A_THREAD) as program:
        program.out.line_with("Hello, world!")
        program.out.line_with("stopped")
        assert program.wait() == 0


def test_methods_of_a_server_can_be_overridden(script):
    with script(OVERRIDES) as program:
        assert program.wait() == 0
        lines = program.out.rest().splitlines()
        assert lines == ["serves True", "waits", "is over False"]


def test_ctrl_c_ends_a_program(script):
    with script(RUN) as program:
        program.port()
        program.signal(signal.SIGINT)
        assert program.wait() == 0


def test_a_program_whose_application_is_missing_fails(script):
    text = RUN.replace("main:app", "nowhere:app")
    with script(text) as program:
        assert program.wait() == 1
        assert 'there is no module "nowhere"' in program.err.rest()


def test_the_command_runs_a_factory(folder):
    with Command("--factory", "main:create_app", "--port", "0", *folder) as command:
        assert talk(command.port(), request()).endswith(HELLO)


def test_the_command_runs_workers(folder):
    with Command("main:app", "--port", "0", "--workers", "2", *folder) as command:
        assert talk(command.port(), request()).endswith(HELLO)
        assert command.stop() == 0


def test_the_command_serves_a_unix_socket(folder, tmp_path):
    path = tmp_path / "app.sock"
    with Command("main:app", "--uds", str(path), *folder) as command:
        assert command.where() == f"unix:{path}"
        assert talk(path, request()).endswith(HELLO)


def test_the_command_serves_a_socket_of_a_process_manager(folder):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        words = ["main:app", "--fd", str(sock.fileno()), *folder]
        with Command(*words, pass_fds=[sock.fileno()]) as command:
            port = sock.getsockname()[1]
            assert command.port() == port
            assert talk(port, request()).endswith(HELLO)


def test_the_command_reads_variables_and_an_env_file(folder, tmp_path):
    text = APP.replace('b"Hello, world!"', 'os.environb[b"GREETING"]')
    (tmp_path / "main.py").write_text("import os\n" + text)
    (tmp_path / ".env").write_text("GREETING=Hello, there!\n")
    words = ["main:app", "--env-file", str(tmp_path / ".env"), *folder]
    with Command(*words, env={"UVICORN_PORT": "0"}) as command:
        assert talk(command.port(), request()).endswith(b"Hello, there!")


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": "uvicorn.logging.DefaultFormatter",
            "fmt": "<%(levelprefix)s %(message)s>",
            "use_colors": False,
        }
    },
    "handlers": {
        "default": {
            "formatter": "default",
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {
        "uvicorn": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "uvicorn.error": {"level": "INFO"},
    },
}


def write_logging(folder, ending):
    path = folder / f"logging.{ending}"
    text = {"json": json.dumps, "yaml": yaml.safe_dump}[ending](LOGGING)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_the_command_reads_a_logging_file(folder, tmp_path, ending):
    words = ["--log-config", write_logging(tmp_path, ending), "--port", "0", *folder]
    with Command("main:app", *words) as command:
        line = command.err.line_with(" listening on ")
        assert line.startswith("<INFO:     bolide ")


def test_a_program_may_configure_logging(script, tmp_path):
    path = write_logging(tmp_path, "json")
    text = "import json\n" + RUN_OBJECT.replace(
        'log_level="info"', f"log_config=json.load(open({path!r}))"
    )
    with script(text) as program:
        line = program.err.line_with(" listening on ")
        assert line.startswith("<INFO:     bolide ")


def test_certificates(folder, tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(
        [
            *"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256".split(),
            *"-nodes -days 2 -subj /CN=localhost".split(),
            *["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        ],
        check=True,
        capture_output=True,
    )
    words = [f"--ssl-keyfile={key}", f"--ssl-certfile={cert}", "--port", "0", *folder]
    with Command("main:app", *words) as command:
        context = ssl.create_default_context(cafile=cert)
        with context.wrap_socket(
            connect(command.port()), server_hostname="localhost"
        ) as sock:
            sock.settimeout(DEADLINE_S)
            sock.sendall(request())
            assert read_all(sock).endswith(HELLO)
