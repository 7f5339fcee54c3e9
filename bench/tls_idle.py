"""The cost of an idle TLS connection: RSS of each server with 2,000 of them."""

import socket
import ssl

import footprint
import servers
from measure import rss_bytes
from works import WORKS

CONNECTIONS = 2_000


def open_idle(port, count):
    """Return ``n`` TLS connections, each of which has received one response."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    held = []
    for _ in range(count):
        plain = socket.create_connection(("127.0.0.1", port), 10)
        client = context.wrap_socket(plain)
        client.sendall(footprint.HELLO)
        client.recv(4096)
        held.append(client)
    return held


def line_of(name, port):
    """Return one row of the table."""
    with servers.running(name, WORKS["tls"], port) as process:
        open_idle(port, 20)  # allocates what all connections share
        base = rss_bytes(process.pid)
        held = open_idle(port, CONNECTIONS)
        each = (rss_bytes(process.pid) - base) / CONNECTIONS
        for client in held:
            client.close()
    return f"| {name} | {each:,.0f} |"


def lines(names, ports):
    """Return the table."""
    footprint.raise_descriptor_limit()
    found = [
        f"| server | bytes an idle TLS connection ({CONNECTIONS:,}) |",
        "|---|---:|",
    ]
    found += footprint.rows(names, ports, line_of, WORKS["tls"])
    return found
