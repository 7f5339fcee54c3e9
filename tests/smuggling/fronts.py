"""Proxies that keep and share their connections to the server, and mark requests.

Each request forwarded by one of them has the header ``X-Front: 1``.
"""

import shutil
import socket
import subprocess
import time
from pathlib import Path

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"
MODULES = Path("/usr/lib/apache2/modules")

NGINX = """
daemon off; pid {folder}/pid; worker_processes 1; user root;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream back {{ server 127.0.0.1:{back}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://back; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_set_header X-Front 1;
            proxy_request_buffering {buffering};
        }}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    http-reuse always
    {lax}
frontend front
    bind 127.0.0.1:{port}
    http-request set-header X-Front 1
    default_backend back
backend back
    server one 127.0.0.1:{back}
"""

APACHE = """
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
ServerName a
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule headers_module {modules}/mod_headers.so
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
HttpProtocolOptions {options}
RequestHeader set X-Front 1
ProxyPass / http://127.0.0.1:{back}/ keepalive=On max=1 nocanon
"""

VARNISH = """
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{back}"; }}
sub vcl_recv {{
    set req.http.X-Front = "1";
    return (pass);
}}
"""

CADDY = """{{
    admin off
    auto_https off
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{back} {{
        header_up X-Front 1
    }}
}}
"""


def free_port():
    """Return a port that is currently unused."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def program(name):
    """Return the path of a program, or None."""
    return shutil.which(name, path=PATH)


def write(folder, text, **places):
    """Write a configuration and return its path."""
    path = Path(folder) / "front.conf"
    path.write_text(text.format(folder=folder, **places))
    return str(path)


def nginx(folder, port, back, buffering="off"):
    """Return the command of nginx."""
    path = write(folder, NGINX, port=port, back=back, buffering=buffering)
    return [program("nginx"), "-p", folder, "-e", f"{folder}/error.log", "-c", path]


def nginx_buffers(folder, port, back):
    """Return the command of an nginx that reads whole bodies first."""
    return nginx(folder, port, back, "on")


def haproxy(folder, port, back, lax=""):
    """Return the command of HAProxy."""
    path = write(folder, HAPROXY, port=port, back=back, lax=lax)
    return [program("haproxy"), "-db", "-f", path]


def haproxy_lax(folder, port, back):
    """Return the command of an HAProxy that forwards malformed requests."""
    return haproxy(folder, port, back, "option accept-invalid-http-request")


def apache(folder, port, back, options="Strict"):
    """Return the command of Apache."""
    places = {"port": port, "back": back, "modules": MODULES, "options": options}
    path = write(folder, APACHE, **places)
    return [program("apache2"), "-D", "FOREGROUND", "-f", path]


def apache_lax(folder, port, back):
    """Return the command of an Apache that forwards malformed requests."""
    return apache(folder, port, back, "Unsafe")


def varnish(folder, port, back):
    """Return the command of Varnish."""
    path = write(folder, VARNISH, back=back)
    words = ["-F", "-j", "none", "-n", f"{folder}/work", "-a", f"127.0.0.1:{port}"]
    return [program("varnishd"), *words, "-f", path, "-s", "malloc,16m"]


def caddy(folder, port, back):
    """Return the command of Caddy."""
    path = write(folder, CADDY, port=port, back=back)
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", path]


KINDS = {
    "nginx": nginx, "nginx, buffering": nginx_buffers, "HAProxy": haproxy,
    "HAProxy, lax": haproxy_lax, "Apache": apache, "Apache, lax": apache_lax,
    "Varnish": varnish, "Caddy": caddy,
}  # fmt: skip


class Front:
    """Runs a proxy in front of the server at ``back`` within its block."""

    def __init__(self, kind, folder, back):
        self.port, self.folder = free_port(), folder
        self.words = KINDS[kind](folder, self.port, back)
        self.exists = self.words[0] is not None

    def __enter__(self):
        home = {"HOME": self.folder, "XDG_DATA_HOME": self.folder}
        self.process = subprocess.Popen(
            self.words,
            env={"PATH": PATH, **home},
            stdin=subprocess.DEVNULL,
            stdout=open(f"{self.folder}/out", "wb"),
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                text = Path(self.folder, "out").read_text()
                assert self.process.poll() is None, text
                assert time.monotonic() < end, text
                time.sleep(0.05)

    def printed(self):
        """Return the end of what it has printed."""
        return Path(self.folder, "out").read_text(errors="replace")[-500:]

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
