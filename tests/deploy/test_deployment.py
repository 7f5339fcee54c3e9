"""The files below deploy/ are accepted by the programs that read them, and work."""

import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command import DEADLINE_S, Command, connect, request, serve, wait_until_open

from bolide.cli.options import by_name

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "systemd" / "bolide.service").read_text()
DOCKERFILES = [
    (DEPLOY / "docker" / name).read_text()
    for name in ("Dockerfile", "Dockerfile.distroless")
]
MANIFESTS = list(
    yaml.safe_load_all((DEPLOY / "kubernetes" / "bolide.yaml").read_text())
)


def needs(name):
    """Return a mark that skips a test if a program is not installed."""
    there = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")
    return pytest.mark.skipif(there is None, reason=f"no {name} here")


def run(*words, **kwargs):
    """Run a program; return its exit code and all of its output."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=DEADLINE_S, **kwargs
    )
    return done.returncode, done.stdout + done.stderr


def commands():
    """Yield the arguments with which each file starts the server."""
    line = re.search(r"^ExecStart=(.*)$", UNIT, re.M).group(1)
    yield shlex.split(line)[1:]
    for text in DOCKERFILES:
        entry, words = (
            json.loads(re.search(rf"^{x} (\[.*\])$", text, re.M).group(1))
            for x in ("ENTRYPOINT", "CMD")
        )
        yield [*entry[entry.index("main:app") :], *words]
    yield ["main:app", *container()["args"]]


def manifest(kind):
    """Return the manifest of the given kind."""
    return next(x for x in MANIFESTS if x["kind"] == kind)


def container():
    """Return the container of the Deployment."""
    return manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    "words", list(commands()), ids=["systemd", "docker", "distroless", "kubernetes"]
)
def test_bolide_accepts_each_command(words, tmp_path):
    (tmp_path / "main.py").write_text(
        "async def app(scope, receive, send):\n    raise NotImplementedError\n"
    )
    used = [x for x in words if x.startswith("--")]
    assert set(used) <= set(by_name())
    place = ["--bind", "fd://0"] if "systemd" in words else []
    words = [x for x in words if x not in ("--bind", "systemd")]
    words = [*words, *place, "--app-dir", str(tmp_path), "--check-config"]
    with Command(*words) as command:
        assert command.wait() == 0, command.err.rest()


@pytest.mark.parametrize("text", DOCKERFILES, ids=["docker", "distroless"])
def test_the_image_has_no_compiler_no_root_and_a_health_check(text):
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d+$", last, re.M)
    assert last.index("USER ") < last.index("ENTRYPOINT ")
    assert re.search(r"^HEALTHCHECK ", last, re.M)
    assert re.search(r"^STOPSIGNAL SIGTERM$", last, re.M)
    assert not re.search(r"gcc|-dev\b|apt-get", text)
    assert "--only-binary bolide" in text


@needs("systemd-analyze")
def test_systemd_accepts_the_units(tmp_path):
    for name in ("bolide.service", "bolide.socket"):
        text = (DEPLOY / "systemd" / name).read_text()
        text = text.replace("/srv/app/.venv/bin/bolide", sys.executable)
        (tmp_path / name).write_text(text)
    code, said = run("systemd-analyze", "verify", *map(str, tmp_path.iterdir()))
    ours = [x for x in said.splitlines() if "bolide" in x]
    assert not ours, said
    assert code == 0 or not ours


def test_kill_timeouts_are_longer_than_the_grace_period():
    grace = int(re.search(r"--timeout-graceful-shutdown (\d+)", UNIT).group(1))
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.M).group(1)) > 2 * grace
    args = container()["args"]
    delay, grace = (
        int(args[args.index(x) + 1])
        for x in ("--drain-delay", "--timeout-graceful-shutdown")
    )
    pod = manifest("Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > delay + grace
    probe = container()["readinessProbe"]
    assert delay > probe["periodSeconds"] * probe["failureThreshold"]


def test_the_manifests_are_complete_and_consistent():
    for one in MANIFESTS:
        assert {"apiVersion", "kind", "metadata", "spec"} <= set(one)
        assert one["metadata"]["name"] == "app"
    spec = manifest("Deployment")["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    assert manifest("Service")["spec"]["selector"] == labels
    names = {x["name"]: x["containerPort"] for x in container()["ports"]}
    assert manifest("Service")["spec"]["ports"][0]["targetPort"] in names
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container()[kind]["httpGet"]["port"] in names
    target = manifest("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "app")
    metrics = (ROOT / "docs" / "METRICS.md").read_text("utf-8")
    for metric in manifest("HorizontalPodAutoscaler")["spec"]["metrics"]:
        if metric["type"] == "Pods":
            assert f"`{metric['pods']['metric']['name']}`" in metrics


def test_each_probed_path_is_answered():
    paths = {container()[f"{x}Probe"]["httpGet"]["path"]
             for x in ("startup", "readiness", "liveness")}  # fmt: skip
    for text in DOCKERFILES:
        paths |= set(re.findall(r"127\.0\.0\.1:9100(/\S+?)'", text))
    haproxy = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    paths |= set(re.findall(r"http-check send meth GET uri (\S+)", haproxy))
    caddy = (DEPLOY / "caddy" / "Caddyfile").read_text()
    paths |= set(re.findall(r"health_uri (\S+)", caddy))
    assert len(paths) >= 3
    with serve("hello", "--metrics-bind", "127.0.0.1:0") as command:
        line = command.err.line_with("health, metrics and status on ")
        port = int(line.rpartition(":")[2])
        for path in paths:
            with connect(port) as sock:
                sock.sendall(request(path))
                assert sock.recv(65536).startswith(b"HTTP/1.1 200 "), path


def free_port():
    """Return a port that is currently unused."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def words_of(name):
    """Return the arguments with which a file below deploy/ starts its application."""
    text = (DEPLOY / name).read_text()
    line = re.search(r"bolide main:app (.*)$", text, re.M).group(1)
    return shlex.split(line)


def changed(words, **values):
    """Return arguments with some values replaced, such as ports and addresses."""
    words = list(words)
    for name, value in values.items():
        words[words.index("--" + name.replace("_", "-")) + 1] = value
    return words


BY_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv.pop(1)), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
from bolide.cli.main import main
main()
"""


@contextlib.contextmanager
def by_systemd(words, path, target="told"):
    """Runs the command of the unit, with a socket at ``path`` passed as systemd
    does.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        number = str(sock.fileno())
        words = changed(words, metrics_bind="127.0.0.1:0", workers="2")
        words = (number, f"apps:{target}", *words)
        with Command(*words, code=BY_SYSTEMD, pass_fds=[sock.fileno()]) as command:
            command.where()
            yield command


@contextlib.contextmanager
def running(*words, port):
    """Runs a proxy that listens on ``port`` within the block."""
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as proxy:
        try:
            wait_until_open(port)
            yield
        finally:
            proxy.terminate()


def nginx_with(site, tmp_path):
    """Return the command of an nginx with ``site``, after a check by ``nginx -t``."""
    (tmp_path / "site.conf").write_text(site)
    temps = "".join(
        f"{x}_temp_path {tmp_path}/{x};"
        for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = tmp_path / "nginx.conf"
    # As root, nginx drops its privileges and could not enter the test's folder.
    user = "user root; " if os.geteuid() == 0 else ""
    main.write_text(
        f"{user}daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temps}\n"
        f"include {tmp_path}/site.conf; }}\n"
    )
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    code, said = run(nginx, "-t", "-c", str(main))
    assert code == 0, said
    return nginx, "-c", str(main)


def certificate(tmp_path):
    """Return the files of a certificate and its key."""
    cert, key = tmp_path / "site.pem", tmp_path / "site.key"
    words = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=site")
    code, said = run("openssl", *words, "-keyout", str(key), "-out", str(cert))
    assert code == 0, said
    return cert, key


def fetch(port, scheme="http", fields=""):
    """Return the application's view of a request through a proxy, and the response."""
    sock = connect(port)
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    with sock:
        text = f"GET / HTTP/1.1\r\nHost: site.example:{port}\r\n{fields}"
        sock.sendall(f"{text}Connection: close\r\n\r\n".encode())
        got = b""
        while more := sock.recv(65536):
            got += more
    body = got[got.index(b"{") : got.rindex(b"}") + 1]
    return json.loads(body)


def check(told, port, scheme):
    """Check that the application sees a request as its client has sent it."""
    assert told["client"][0] == "127.0.0.1"
    assert told["scheme"] == scheme
    assert told["host"] == f"site.example:{port}"
    assert len(told["x-request-id"]) >= 16


@needs("nginx")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_client_and_scheme_are_known_with_nginx_and_the_unit(tmp_path, scheme):
    """Both files are used unchanged except for a port, a path and a certificate."""
    port, path = free_port(), tmp_path / "app.sock"
    site = (DEPLOY / "nginx" / "bolide.conf").read_text()
    listens = f"listen 127.0.0.1:{port};"
    if scheme == "https":
        cert, key = certificate(tmp_path)
        listens = (
            f"listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; "
            f"ssl_certificate_key {key};"
        )
    site = site.replace("listen 80;", listens)
    site = site.replace("unix:/run/bolide/app.sock", f"unix:{path}")
    nginx = nginx_with(site, tmp_path)
    words = words_of("systemd/bolide.service")
    with by_systemd(words, path) as command, running(*nginx, port=port):
        told = fetch(port, scheme)
        check(told, port, scheme)
        # What a client claims comes before what the proxy has added.
        forged = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: gopher\r\n"
        check(fetch(port, scheme, forged), port, scheme)
        assert command.out.line_with('"GET / HTTP/').startswith("127.0.0.1 - - [")


def test_the_settings_file_equals_the_options_of_the_unit(tmp_path):
    settings = tomllib.loads((DEPLOY / "bolide.toml").read_text())
    words = words_of("systemd/bolide.service")
    for name in ("forwarded_allow_ips", "metrics_bind", "workers"):
        word = "--" + name.replace("_", "-")
        assert settings[name] == words[words.index(word) + 1]
    (tmp_path / "main.py").write_text("async def app(scope, receive, send):\n    ...\n")
    words = ("--config", str(DEPLOY / "bolide.toml"), "--app-dir", str(tmp_path))
    words += ("--bind", f"unix:{tmp_path}/app.sock")  # systemd creates /run/bolide
    with Command("main:app", *words, "--check-config") as command:
        assert command.wait() == 0, command.err.rest()


@needs("haproxy")
def test_client_and_scheme_are_known_with_haproxy(tmp_path):
    port, secure = free_port(), free_port()
    cert, key = certificate(tmp_path)
    (tmp_path / "both.pem").write_text(cert.read_text() + key.read_text())
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    words = words_of("haproxy/haproxy.cfg")
    words = changed(
        words, host="127.0.0.1", forwarded_allow_ips="127.0.0.1",
        metrics_bind="127.0.0.1:0", workers="2",
    )  # fmt: skip
    with serve("told", *words) as server:
        line = server.err.line_with("health, metrics and status on ")
        own = f"server one 127.0.0.1:{server.port()} port {line.rpartition(':')[2]}"
        text = text.replace("server one 10.0.0.1:8000", own)
        text = re.sub(r"^ +server two .*$", "", text, flags=re.M)
        binds = f"bind 127.0.0.1:{port}\n"
        binds += f"    bind 127.0.0.1:{secure} ssl crt {tmp_path}/both.pem"
        text = text.replace("bind :80", binds).replace("maxconn 20000", "maxconn 100")
        path = tmp_path / "haproxy.cfg"
        path.write_text(text)
        haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
        with running(haproxy, "-f", str(path), port=port):
            check(fetch(port), port, "http")
            check(fetch(secure, "https"), secure, "https")


@needs("caddy")
def test_client_and_scheme_are_known_with_caddy(tmp_path):
    port = free_port()
    text = (DEPLOY / "caddy" / "Caddyfile").read_text()
    words = words_of("caddy/Caddyfile")
    words = changed(
        words, host="127.0.0.1", forwarded_allow_ips="127.0.0.1",
        metrics_bind="127.0.0.1:0", workers="2",
    )  # fmt: skip
    with serve("told", *words) as server:
        line = server.err.line_with("health, metrics and status on ")
        text = text.replace("app.example {", f"http://:{port} {{")
        text = text.replace("10.0.0.1:8000 10.0.0.2:8000", f"127.0.0.1:{server.port()}")
        text = text.replace(
            "health_port 9100", f"health_port {line.rpartition(':')[2]}"
        )
        path = tmp_path / "Caddyfile"
        path.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
        caddy = ("caddy", "run", "--config", str(path), "--adapter", "caddyfile")
        with running("env", f"HOME={tmp_path}", *caddy, port=port):
            check(fetch(port), port, "http")


def exported():
    """Return the names of all metrics in docs/METRICS.md."""
    text = (ROOT / "docs" / "METRICS.md").read_text("utf-8")
    names = set(re.findall(r"^\| `((?:bolide|process)_\w+)` \|", text, re.M))
    return names | {f"{x}_bucket" for x in names if x.endswith("_seconds")}


def used_metrics(text):
    """Return the names of metrics in an expression."""
    return set(re.findall(r"\b(?:bolide|process)_\w+", text))


def test_alerts_and_the_dashboard_use_existing_metrics():
    alerts = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    rules = yaml.safe_load(alerts)["groups"][0]["rules"]
    assert len({x["alert"] for x in rules}) == len(rules) >= 8
    for rule in rules:
        assert used_metrics(rule["expr"]) <= exported(), rule["expr"]
        assert rule["annotations"]["summary"] and rule["labels"]["severity"]
    board = json.loads((DEPLOY / "grafana" / "bolide.json").read_text())
    expressions = [y["expr"] for x in board["panels"] for y in x["targets"]]
    for text in expressions:
        assert used_metrics(text) and used_metrics(text) <= exported(), text
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")
    places = [tuple(x["gridPos"].values()) for x in board["panels"]]
    assert len(set(places)) == len(places)


@needs("promtool")
def test_promtool_accepts_the_alerts():
    path = DEPLOY / "prometheus" / "alerts.yml"
    code, said = run("promtool", "check", "rules", str(path))
    assert code == 0, said


@needs("haproxy")
def test_haproxy_accepts_its_file():
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    path = DEPLOY / "haproxy" / "haproxy.cfg"
    code, said = run(haproxy, "-c", "-f", str(path))
    assert code == 0, said


@needs("haproxy")
def test_haproxy_avoids_a_draining_server(tmp_path):
    """No request is lost while one of two servers stops."""
    words = ["--metrics-bind", "127.0.0.1:0", "--drain-delay", "3"]
    port = free_port()
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    with serve("hello", *words) as one, serve("hello", *words) as two:
        for name, number, server in (("one", 1, one), ("two", 2, two)):
            line = server.err.line_with("health, metrics and status on ")
            inside = line.rpartition(":")[2]
            own = f"server {name} 127.0.0.1:{server.port()} port {inside}"
            text = text.replace(f"server {name} 10.0.0.{number}:8000", own)
        text = text.replace("bind :80", f"bind 127.0.0.1:{port}")
        text = text.replace("maxconn 20000", "maxconn 100")
        path = tmp_path / "haproxy.cfg"
        path.write_text(text)
        haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
        with subprocess.Popen(
            [haproxy, "-f", str(path)], stderr=subprocess.DEVNULL
        ) as it:
            try:
                wait_until_open(port)
                answers = [ask(port) for _ in range(10)]
                one.signal(15)
                while one.process.poll() is None:
                    answers.append(ask(port))
                answers += [ask(port) for _ in range(10)]
            finally:
                it.terminate()
    assert set(answers) == {b"200"}


def ask(port):
    """Return the status of one request on a new connection."""
    with connect(port) as sock:
        sock.sendall(request("/", "Connection: close\r\n"))
        return sock.recv(65536).split(b" ")[1]


@needs("caddy")
def test_caddy_accepts_its_file(tmp_path):
    path = DEPLOY / "caddy" / "Caddyfile"
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    code, said = run(
        "caddy", "adapt", "--config", str(path), "--adapter", "caddyfile", env=env
    )
    assert code == 0, said
    assert "reverse_proxy" in said
