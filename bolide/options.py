"""The options of the command: what they are called, take and mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from bolide.config import INTERFACES, LIFESPANS, LOG_FORMATS, TRUSTED, WEBSOCKETS
from bolide.limits import LIMITS
from bolide.logs import LEVELS
from bolide.loops import LOOPS
from bolide.synonyms import SYNONYMS
from bolide.tls import CERT_REQS, VERSIONS


class Option(NamedTuple):
    """One option, for the parser, the help text and docs/OPTIONS.md."""

    name: str
    """With its dashes."""
    field: str
    """The field of Config that it sets; "" for those that print and exit."""
    group: str
    """Its heading in the help text."""
    takes: str
    """What follows, in capitals; "" for a switch."""
    default: str
    """As the help text says it; "" for none."""
    meaning: str
    kind: str = "text"
    """"text", "int", "bool", "switch", "limit", "topic" (a value may follow), or of
    those that may be repeated "list" (of NAME:VALUE) and "texts"."""
    alias: str = ""
    """Another name, from elsewhere."""

    @property
    def variable(self) -> str:
        """The environment variable that sets it as well; "" for none."""
        if self.name == "--config":
            return "BOLIDE_CONFIG"
        if not self.field:
            return ""
        return f"BOLIDE_{self.field.upper()}"

    @property
    def negative(self) -> str:
        """The name that turns a switch off; "" where it is off anyway."""
        is_on = self.kind == "switch" and self.default in ("on", "auto")
        return f"--no-{self.name[2:]}" if is_on else ""


_UNITS = {"s": "SECONDS", "bytes": "BYTES", "bytes/s": "BYTES"}
_PLACE, _APP, _SAID = "where to listen", "the application", "what is sent and said"
_WS, _H2 = "WebSockets", "HTTP/2"
_TLS, _PROXIES = "TLS", "behind proxies"
_PROCESSES = "processes"
_INSIDE = "seeing inside"
_DEV = "development"
_ASIDE = "settings from elsewhere"
_THEIRS = "accepted from uvicorn"


def _limits(prefix: str, group: str) -> Iterator[Option]:
    """Yield the limits whose name begins with ``prefix``; "": all the others."""
    for limit in LIMITS:
        own = next((x for x in ("ws_", "h2_") if limit.name.startswith(x)), "")
        if own == prefix:
            yield Option(
                "--" + limit.name.replace("_", "-"),
                limit.name,
                group or ("times" if limit.is_time else "limits"),
                _UNITS.get(limit.unit, "NUMBER"),
                f"{limit.default:.15g}",
                limit.meaning,
                "limit",
            )


OPTIONS = (
    Option("--host", "host", _PLACE, "ADDRESS", "127.0.0.1",
           'address or name to listen on; "" is every address'),
    Option("--port", "port", _PLACE, "NUMBER", "8000",
           "TCP port; 0 takes a free one", "int"),
    Option("--bind", "bind", _PLACE, "ADDRESS", "",
           "host:port, unix:path, fd://number or systemd, instead; may be repeated",
           "texts", "-b"),
    Option("--uds", "uds", _PLACE, "PATH", "", "Unix socket to listen on instead"),
    Option("--fd", "fd", _PLACE, "NUMBER", "",
           "descriptor of an inherited socket to listen on instead", "int"),
    Option("--backlog", "backlog", _PLACE, "NUMBER", "2048",
           "connections that wait in the kernel to be accepted", "int"),
    Option("--factory", "factory", _APP, "", "off",
           "call module:attribute to get the application", "switch"),
    Option("--app-dir", "app_dir", _APP, "FOLDER", ".",
           "where modules are looked for first"),
    Option("--root-path", "root_path", _APP, "PATH", "",
           "where a proxy mounts the application, as /api"),
    Option("--pathsend", "pathsend", _APP, "", "off",
           "offer applications to send files by their path or descriptor", "switch"),
    Option("--lifespan", "lifespan", _APP, "|".join(LIFESPANS), "auto",
           "whether the application is told of start and stop"),
    Option("--loop", "loop", _APP, "|".join(LOOPS), "auto",
           "event loop; auto is uvloop where it is installed"),
    Option("--log-level", "log_level", _SAID, "|".join(LEVELS), "info",
           "the least that is said on standard error"),
    Option("--log-file", "log_file", _SAID, "PATH", "-",
           "where that goes instead: a path, syslog or journald",
           alias="--error-logfile"),
    Option("--log-format", "log_format", _SAID, "|".join(LOG_FORMATS), "text",
           "json is an object a line"),
    Option("--one-line-tracebacks", "one_line_tracebacks", _SAID, "", "off",
           "a traceback is one line", "switch"),
    Option("--access-log", "access_log", _SAID, "", "on",
           "a line per request on standard output", "switch"),
    Option("--access-log-format", "access_log_format", _SAID, "FORMAT", "common",
           "common, combined, json, or a text with %(atoms)s"),
    Option("--access-log-file", "access_log_file", _SAID, "PATH", "-",
           "where it goes instead: a path, syslog or journald",
           alias="--access-logfile"),
    Option("--date-header", "date_header", _SAID, "", "on",
           "a Date field in every answer", "switch"),
    Option("--server-header", "server_header", _SAID, "", "on",
           "a Server field in every answer", "switch"),
    Option("--header", "headers", _SAID, "NAME:VALUE", "",
           "a field in every answer; may be repeated", "list"),
    Option("--workers", "workers", _PROCESSES, "NUMBER|auto", "",
           "processes that serve, under a supervisor; auto: one a CPU"),
    Option("--threads", "threads", _PROCESSES, "NUMBER", "1",
           "threads that serve in each process; more only without a GIL", "int"),
    Option("--preload", "preload", _PROCESSES, "", "off",
           "load the application once, and share its memory", "switch"),
    Option("--limit-max-requests", "limit_max_requests", _PROCESSES, "NUMBER", "",
           "requests after which a worker is replaced", "int", "--max-requests"),
    Option("--limit-max-requests-jitter", "limit_max_requests_jitter", _PROCESSES,
           "NUMBER", "0", "up to so many more, drawn for each worker", "int",
           "--max-requests-jitter"),
    Option("--worker-lifetime", "worker_lifetime", _PROCESSES, "SECONDS", "0",
           "time after which a worker is replaced; 0: never", "limit"),
    Option("--limit-rss", "limit_rss", _PROCESSES, "BYTES", "0",
           "memory after which a worker is replaced; 0: never", "int"),
    Option("--keep-freed-memory", "keep_freed_memory", _PROCESSES, "BYTES", "67108864",
           "freed memory that a process keeps for later; 0: the C library decides",
           "int"),
    Option("--heartbeat", "heartbeat", _PROCESSES, "SECONDS", "0",
           "replace a worker whose loop is blocked for so long; 0: never", "limit"),
    Option("--drain-delay", "drain_delay", _PROCESSES, "SECONDS", "0",
           "time to serve on after a signal to stop", "limit"),
    Option("--user", "user", _PROCESSES, "NAME", "", "user that the application is"),
    Option("--group", "group", _PROCESSES, "NAME", "", "group that it is"),
    Option("--umask", "umask", _PROCESSES, "OCTAL", "", "file mode creation mask"),
    Option("--pid-file", "pid_file", _PROCESSES, "PATH", "",
           "file for the process's number while it serves"),
    Option("--health-path", "health_path", _INSIDE, "PATH", "",
           "where the server says whether it is ready, as /-/health"),
    Option("--metrics-path", "metrics_path", _INSIDE, "PATH", "",
           "where its metrics for Prometheus are, as /-/metrics"),
    Option("--status-path", "status_path", _INSIDE, "PATH", "",
           "where its status page is, as /-/status"),
    Option("--warn-blocked", "warn_blocked", _INSIDE, "SECONDS", "1",
           "say what blocks the event loop longer than this; 0: never", "limit"),
    Option("--statsd", "statsd", _INSIDE, "ADDRESS", "",
           "host:port of a statsd server that hears the metrics"),
    Option("--statsd-prefix", "statsd_prefix", _INSIDE, "NAME", "bolide",
           "what their names begin with"),
    Option("--statsd-tags", "statsd_tags", _INSIDE, "TAGS", "",
           "name:value,... as dogstatsd reads them"),
    Option("--statsd-interval", "statsd_interval", _INSIDE, "SECONDS", "10",
           "time between two reports", "limit"),
    Option("--metrics-bind", "metrics_bind", _INSIDE, "ADDRESS", "",
           "a place of their own for all three, as 127.0.0.1:9100"),
    Option("--ssl-certfile", "ssl_certfile", _TLS, "PATH", "",
           "PEM file of a certificate and its chain; may be repeated", "texts"),
    Option("--ssl-keyfile", "ssl_keyfile", _TLS, "PATH", "",
           "PEM file of its key; may be repeated, once for each certificate", "texts"),
    Option("--ssl-keyfile-password", "ssl_keyfile_password", _TLS, "TEXT", "",
           "password of the keys"),
    Option("--ssl-version", "ssl_version", _TLS, "|".join(VERSIONS), "auto",
           "which TLS is spoken; auto is both"),
    Option("--ssl-cert-reqs", "ssl_cert_reqs", _TLS, "|".join(CERT_REQS), "none",
           "whether clients have to show a certificate"),
    Option("--ssl-ca-certs", "ssl_ca_certs", _TLS, "PATH", "",
           "PEM file or folder that clients' certificates are judged by"),
    Option("--ssl-ciphers", "ssl_ciphers", _TLS, "NAMES", "",
           "OpenSSL's names of ciphers, with : between"),
    Option("--ssl-crl", "ssl_crl", _TLS, "PATH", "",
           "PEM file of revocation lists for clients' certificates"),
    Option("--ssl-ocsp", "ssl_ocsp", _TLS, "PATH", "",
           "DER file of an OCSP response to staple; may be repeated", "texts"),
    Option("--ssl-session-timeout", "ssl_session_timeout", _TLS, "SECONDS", "3600",
           "how long a session can be resumed; 0: not at all", "int"),
    Option("--ssl-ticket-key", "ssl_ticket_key", _TLS, "PATH", "",
           "file of random bytes that session tickets of many machines share"),
    Option("--ssl-watch", "ssl_watch", _TLS, "SECONDS", "10",
           "how often is looked whether those files have changed; 0: never", "limit"),
    Option("--ktls", "ktls", _TLS, "auto|off", "off",
           "whether the kernel encrypts what is sent over TLS, where it can"),
    Option("--redirect-http", "redirect_http", _TLS, "PORT", "",
           "port that sends plain HTTP to https", "int"),
    Option("--hsts", "hsts", _TLS, "SECONDS", "",
           "Strict-Transport-Security in every answer: seconds, or its whole value"),
    Option("--proxy-headers", "proxy_headers", _PROXIES, "", "on",
           "believe what trusted proxies say of clients", "switch"),
    Option("--forwarded-allow-ips", "forwarded_allow_ips", _PROXIES, "ADDRESSES",
           TRUSTED, "proxies that are trusted, with commas between; * is every peer"),
    Option("--forwarded-fields", "forwarded_fields", _PROXIES, "NAMES", "for,proto",
           "fields that proxies set: for, proto, host, port, prefix, forwarded"),
    Option("--request-id", "request_id", _PROXIES, "", "off",
           "an X-Request-ID for each request and its answer", "switch"),
    Option("--http2", "http2", _H2, "", "on",
           "HTTP/2, by ALPN over TLS and by prior knowledge without", "switch"),
    Option("--h2c-upgrade", "h2c_upgrade", _H2, "", "off",
           "HTTP/2 also by Upgrade: h2c, which proxies may let slip through", "switch"),
    *_limits("h2_", _H2),
    Option("--ws", "ws", _WS, "|".join(WEBSOCKETS), "auto",
           "none takes a WebSocket's handshake for an ordinary request"),
    Option("--ws-per-message-deflate", "ws_per_message_deflate", _WS, "BOOLEAN", "on",
           "compression of messages, where the client offers it", "bool"),
    Option("--ws-server-takeover", "ws_server_takeover", _WS, "BOOLEAN", "off",
           "keep a window of what was sent, for each WebSocket", "bool"),
    Option("--ws-client-takeover", "ws_client_takeover", _WS, "BOOLEAN", "off",
           "keep a window of what has come, for each WebSocket", "bool"),
    *_limits("ws_", _WS),
    *_limits("", ""),
    Option("--config", "", _ASIDE, "PATH", "",
           "file of settings; else bolide.toml, or [tool.bolide] in pyproject.toml"),
    Option("--env-file", "env_file", _ASIDE, "PATH", "",
           "file of variables for the application's environment"),
    Option("--log-config", "log_config", _ASIDE, "PATH", "",
           "settings of Python's logging: .json, .yaml or .ini"),
    Option("--use-colors", "use_colors", _ASIDE, "", "auto",
           "colours on a terminal", "switch"),
    Option("--interface", "interface", _THEIRS, "|".join(INTERFACES), "auto",
           "what kind of application it is"),
    Option("--h11-max-incomplete-event-size", "h11_max_incomplete_event_size", _THEIRS,
           "BYTES", "", "the same as --limit-head", "int"),
    Option("--http", "http", _THEIRS, "NAME", "auto", "has no meaning here"),
    Option("--timeout-worker-healthcheck", "timeout_worker_healthcheck", _THEIRS,
           "SECONDS", "5", "has no meaning here; see --heartbeat", "limit"),
    Option("--reset-contextvars", "reset_contextvars", _THEIRS, "", "off",
           "has no meaning here: requests never share a context", "switch"),
    Option("--reload", "reload", _DEV, "", "off",
           "load the application anew when files change", "switch"),
    Option("--reload-dir", "reload_dirs", _DEV, "FOLDER", "",
           "folder to watch instead of the current one; may be repeated", "texts"),
    Option("--reload-include", "reload_includes", _DEV, "PATTERN", "",
           "files besides *.py, or a folder; may be repeated", "texts"),
    Option("--reload-exclude", "reload_excludes", _DEV, "PATTERN", "",
           "files to leave alone, or a folder; may be repeated", "texts"),
    Option("--reload-delay", "reload_delay", _DEV, "SECONDS", "0.25",
           "time between two reloads at least", "limit"),
    Option("--check-config", "", "about", "", "",
           "load the application, say whether all is fine, and exit", "switch"),
    Option("--print-config", "", "about", "", "",
           "print every setting with its origin, as TOML, and exit", "switch"),
    Option("--completion", "", "about", "bash|zsh|fish", "",
           "print what makes a shell complete options, and exit"),
    Option("--version", "", "about", "", "", "print the version and exit", "switch"),
    Option("--help", "", "about", "TOPIC", "",
           "print the options of a topic, or those that most need, and exit", "topic",
           "-h"),
)  # fmt: skip
"""All options, in the order of docs/OPTIONS.md."""


def by_name() -> dict[str, tuple[Option, bool]]:
    """Return every name that an option goes by, with what a switch of it means."""
    names: dict[str, tuple[Option, Any]] = {}
    for option in OPTIONS:
        names[option.name] = (option, True)
        if option.negative:
            names[option.negative] = (option, False)
        if option.alias:
            names[option.alias] = (option, True)
    for name, ours in SYNONYMS.items():
        if ours in names:
            names.setdefault(name, names[ours])
    return names
