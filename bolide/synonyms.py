"""What gunicorn, hypercorn and daphne call our options; docs/MOVING.md.

A name that means one thing to all of them is accepted, and not shown. One that means
different things is told apart, and so is what has no equal here.
"""

from __future__ import annotations

SYNONYMS = {
    "-w": "--workers",
    "-g": "--group",
    "-m": "--umask",
    "--pid": "--pid-file",
    "--pidfile": "--pid-file",
    "--timeout": "--heartbeat",
    "--graceful-timeout": "--timeout-graceful-shutdown",
    "--keep-alive": "--timeout-keep-alive",
    "--read-timeout": "--timeout-body",
    "--worker-connections": "--limit-concurrency",
    "--limit-request-fields": "--limit-fields",
    "--certfile": "--ssl-certfile",
    "--keyfile": "--ssl-keyfile",
    "--keyfile-password": "--ssl-keyfile-password",
    "--ca-certs": "--ssl-ca-certs",
    "--cert-reqs": "--ssl-cert-reqs",
    "--verify-mode": "--ssl-cert-reqs",
    "--ciphers": "--ssl-ciphers",
    "--asgi-loop": "--loop",
    "--asgi-lifespan": "--lifespan",
    "--http2-max-concurrent-streams": "--h2-max-streams",
    "--http2-initial-window-size": "--h2-window",
    "--http2-max-frame-size": "--h2-max-frame",
    "--websocket-max-message-size": "--ws-max-size",
    "--websocket-max-frame-size": "--ws-max-frame",
    "--websocket-ping-interval": "--ws-ping-interval",
    "--ping-interval": "--ws-ping-interval",
    "--ping-timeout": "--ws-ping-timeout",
    "--unix-socket": "--uds",
    "--access-logformat": "--access-log-format",
    "--no-server-name": "--no-server-header",
}
"""Names from elsewhere, and ours."""

MEANINGLESS = {
    "-k": True,
    "--worker-class": True,
    "--worker-tmp-dir": True,
    "--reload-engine": True,
    "--http-parser": True,
    "--no-sendfile": False,
    "--no-control-socket": False,
}
"""Names that are accepted and change nothing, and whether a value follows."""

HINTS = {
    "-c": "a file of settings is --config, and is TOML",
    "-e": "for gunicorn's variables see --env-file, for daphne's endpoints --bind",
    "-p": "it is --port for daphne, --pid-file for gunicorn and hypercorn",
    "-t": "for gunicorn it is --heartbeat; daphne's has no equal",
    "-u": "it is --user for gunicorn and hypercorn, --uds for daphne",
    "-v": "see --log-level",
    "--verbosity": "see --log-level",
    "-D": "a service manager keeps a server in the background",
    "--daemon": "a service manager keeps a server in the background",
    "--chdir": "see --app-dir",
    "--pythonpath": "see --app-dir",
    "--env": "see --env-file",
    "--endpoint": "see --bind",
    "--insecure-bind": "it is --bind ADDRESS,plain",
    "--quic-bind": "HTTP/3 is not spoken",
    "--proxy-protocol": "it is an option of a bind: --bind :8000,proxy-protocol",
    "--limit-request-field_size": "see --limit-head",
    "--workers-max-rss": "see --limit-rss",
    "--workers-lifetime": "see --worker-lifetime",
    "--statsd-host": "see --statsd",
    "--runtime-threads": "one thread serves in each process; see --workers",
    "--blocking-threads": "applications of ASGI have none; see --workers",
    "--url-path-prefix": "see --root-path",
    "--backpressure": "see --limit-concurrency",
    "--respawn-failed-workers": "workers that die are replaced always",
    "--ssl-certificate": "see --ssl-certfile",
    "--ssl-keyfile-pass": "see --ssl-keyfile-password",
    "--ssl-ca": "see --ssl-ca-certs",
    "--ssl-client-verify": "see --ssl-cert-reqs",
    "--working-dir": "see --app-dir",
    "-s": "see --header Server:NAME",
    "--server-name": "see --header Server:NAME",
}
"""What to do instead, for names that are not accepted."""
