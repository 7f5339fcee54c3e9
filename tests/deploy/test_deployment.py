"""The files below deploy/ are what the programs that read them take, and work."""

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

from bolide.options import by_name

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "systemd" / "bolide.service").read_text()
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
MANIFESTS = list(
    yaml.safe_load_all((DEPLOY / "kubernetes" / "bolide.yaml").read_text())
)


def needs(name):
    """Return a mark that skips a test where a program is not installed."""
    there = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")
    return pytest.mark.skipif(there is None, reason=f"no {name} here")


def run(*words, **kwargs):
    """Run a program; return its exit code and all that it says."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=DEADLINE_S, **kwargs
    )
    return done.returncode, done.stdout + done.stderr


def commands():
    """Yield the words that each file starts the server with."""
    line = re.search(r"^ExecStart=(.*)$", UNIT, re.M).group(1)
    yield shlex.split(line)[1:]
    entry, words = (
        json.loads(re.search(rf"^{x} (\[.*\])$", DOCKERFILE, re.M).group(1))
        for x in ("ENTRYPOINT", "CMD")
    )
    yield [*entry[1:], *words]
    yield ["main:app", *container()["args"]]


def manifest(kind):
    """Return the manifest of a kind."""
    return next(x for x in MANIFESTS if x["kind"] == kind)


def container():
    """Return the container of the deployment."""
    return manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    "words", list(commands()), ids=["systemd", "docker", "kubernetes"]
)
def test_each_command_is_one_that_bolide_takes(words, tmp_path):
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


@needs("systemd-analyze")
def test_systemd_takes_the_units(tmp_path):
    for name in ("bolide.service", "bolide.socket"):
        text = (DEPLOY / "systemd" / name).read_text()
        text = text.replace("/srv/app/.venv/bin/bolide", sys.executable)
        (tmp_path / name).write_text(text)
    code, said = run("systemd-analyze", "verify", *map(str, tmp_path.iterdir()))
    ours = [x for x in said.splitlines() if "bolide" in x]
    assert not ours, said
    assert code == 0 or not ours


def test_whoever_kills_waits_longer_than_the_server_may_take():
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


def test_the_manifests_have_what_their_kinds_need_and_fit_together():
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


def test_every_path_that_is_probed_is_answered():
    paths = {container()[f"{x}Probe"]["httpGet"]["path"]
             for x in ("startup", "readiness", "liveness")}  # fmt: skip
    paths |= set(re.findall(r"127\.0\.0\.1:9100(/\S+?)'", DOCKERFILE))
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


def test_the_image_has_two_stages_and_does_not_run_as_root():
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert len(stages) == 2 and all("slim" in x for x in stages)
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "gcc" not in last
    assert re.search(r"^USER \d+$", last, re.M)
    assert last.index("USER ") < last.index("ENTRYPOINT ")
    for word in ("ENTRYPOINT", "CMD"):
        json.loads(re.search(rf"^{word} (\[.*\])$", last, re.M).group(1))


def free_port():
    """Return a port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def words_of(name):
    """Return the words that a file below deploy/ starts its application with."""
    text = (DEPLOY / name).read_text()
    line = re.search(r"bolide main:app (.*)$", text, re.M).group(1)
    return shlex.split(line)


def changed(words, **values):
    """Return words with other values, as of ports and addresses of this machine."""
    words = list(words)
    for name, value in values.items():
        words[words.index("--" + name.replace("_", "-")) + 1] = value
    return words


BY_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv.pop(1)), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
from bolide.cli import main
main()
"""


@contextlib.contextmanager
def by_systemd(words, path, target="told"):
    """The command of the unit, with a socket at ``path`` as systemd hands it over."""
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
    """A proxy that listens on ``port`` while the block runs."""
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as proxy:
        try:
            wait_until_open(port)
            yield
        finally:
            proxy.terminate()


def nginx_with(site, tmp_path):
    """Return the command of an nginx with ``site``, after a look by ``nginx -t``."""
    (tmp_path / "site.conf").write_text(site)
    temps = "".join(
        f"{x}_temp_path {tmp_path}/{x};"
        for x in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = tmp_path / "nginx.conf"
    # As root nginx gives up its rights, and could not enter the test's folder.
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
    """Return what the application is told of a request to a proxy, and its answer."""
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
    """Look whether a request is told as its client has sent it."""
    assert told["client"][0] == "127.0.0.1"
    assert told["scheme"] == scheme
    assert told["host"] == f"site.example:{port}"
    assert len(told["x-request-id"]) >= 16


@needs("nginx")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nginx_and_the_unit_know_client_and_scheme(tmp_path, scheme):
    """Both files as they are but for a port, a path and a certificate."""
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
        # What a client says of itself stands before what the proxy has seen.
        forged = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: gopher\r\n"
        check(fetch(port, scheme, forged), port, scheme)
        assert command.out.line_with('"GET / HTTP/').startswith("127.0.0.1 - - [")


def test_the_settings_in_a_file_say_what_the_unit_says(tmp_path):
    settings = tomllib.loads((DEPLOY / "bolide.toml").read_text())
    words = words_of("systemd/bolide.service")
    for name in ("forwarded_allow_ips", "metrics_bind", "workers"):
        word = "--" + name.replace("_", "-")
        assert settings[name] == words[words.index(word) + 1]
    (tmp_path / "main.py").write_text("async def app(scope, receive, send):\n    ...\n")
    words = ("--config", str(DEPLOY / "bolide.toml"), "--app-dir", str(tmp_path))
    words += ("--bind", f"unix:{tmp_path}/app.sock")  # systemd makes /run/bolide
    with Command("main:app", *words, "--check-config") as command:
        assert command.wait() == 0, command.err.rest()


@needs("haproxy")
def test_haproxy_and_its_command_know_client_and_scheme(tmp_path):
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
def test_caddy_and_its_command_know_client_and_scheme(tmp_path):
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
    """Return the names of all metrics that docs/METRICS.md has."""
    text = (ROOT / "docs" / "METRICS.md").read_text("utf-8")
    names = set(re.findall(r"^\| `((?:bolide|process)_\w+)` \|", text, re.M))
    return names | {f"{x}_bucket" for x in names if x.endswith("_seconds")}


def used_metrics(text):
    """Return the names of metrics in an expression."""
    return set(re.findall(r"\b(?:bolide|process)_\w+", text))


def test_alerts_and_the_dashboard_ask_for_what_there_is():
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
def test_promtool_takes_the_alerts():
    path = DEPLOY / "prometheus" / "alerts.yml"
    code, said = run("promtool", "check", "rules", str(path))
    assert code == 0, said


@needs("haproxy")
def test_haproxy_takes_its_file():
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    path = DEPLOY / "haproxy" / "haproxy.cfg"
    code, said = run(haproxy, "-c", "-f", str(path))
    assert code == 0, said


@needs("haproxy")
def test_haproxy_turns_away_from_a_server_that_is_draining(tmp_path):
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
def test_caddy_takes_its_file(tmp_path):
    path = DEPLOY / "caddy" / "Caddyfile"
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    code, said = run(
        "caddy", "adapt", "--config", str(path), "--adapter", "caddyfile", env=env
    )
    assert code == 0, said
    assert "reverse_proxy" in said
