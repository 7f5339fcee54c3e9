"""The groups of options: headings of the help text and of docs/OPTIONS.md."""

LISTEN = "where to listen"
APP = "the application"
OUTPUT = "responses and logs"
PROCESSES = "processes"
INSIDE = "monitoring"
STATIC = "static files"
CACHE = "the cache"
TLS = "TLS"
PROXIES = "behind proxies"
COMPRESSION = "compression"
HTTP2 = "HTTP/2"
HTTP3 = "HTTP/3"
WS = "WebSockets"
LIMIT = "limits"
TIMES = "deadlines"
FILES = "configuration files"
UVICORN = "accepted from uvicorn"
RELOAD = "development"

GROUPS = (
    LISTEN, APP, OUTPUT, STATIC, PROCESSES, INSIDE, CACHE, TLS, PROXIES, COMPRESSION,
    HTTP2, HTTP3, WS, LIMIT, TIMES, FILES, UVICORN, RELOAD,
)  # fmt: skip
"""The groups of options, in the order of the help text and docs/OPTIONS.md."""
