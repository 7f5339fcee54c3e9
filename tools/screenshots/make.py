"""Creates the pictures of the status page and of ``bolide top`` in docs/.

make.py [SECONDS]

A server with two workers serves a light load for SECONDS (default: 180, the length of
the charts). Chromium takes screenshots of its page in light and in dark mode. ``bolide
top`` runs in a pseudo-terminal, and its output is converted to an SVG.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import html
import math
import os
import pty
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "pictures"
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from chromium import Browser, Page  # noqa: E402

COLUMNS, ROWS = 92, 27
CLIENTS, WEBSOCKETS = 12, 30
WIDTH, HEIGHT = 1180, 900
PATHS = ["/"] * 400 + ["/missing"] * 8 + ["/boom"]
UPGRADE = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
BARS = "▁▂▃▄▅▆▇█"
SCREEN = re.compile(r"\x1b\[H(.*?)\x1b\[J", re.S)
CODE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")
LOOKS = {"1": 'font-weight="bold" fill="#fff"', "2": 'fill="#8b949e"'}
CELL_W, CELL_H, EDGE = 8.4, 18, 14


def free_port() -> int:
    """Return the number of a free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def server(port: int, inside: int) -> subprocess.Popen[bytes]:
    """Start the server, with the host name web-1 if possible."""
    own = ["unshare", "--uts", "--map-root-user", "sh", "-c", 'hostname web-1; "$@"']
    command = [sys.executable, "-m", "bolide", "--workers", "2", "--no-access-log"]
    command += ["--port", str(port), "--metrics-bind", f"127.0.0.1:{inside}"]
    command += ["--ws-ping-interval", "0", "--log-level", "critical", "shop:app"]
    can = subprocess.run([*own, "-", "true"], capture_output=True).returncode == 0
    return subprocess.Popen(
        [*own[:-1], 'hostname web-1; exec "$@"', "-", *command] if can else command,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


async def client(port: int, number: int, end: float) -> None:
    """Send requests over one connection, at a varying rate, until ``end``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        path = random.choice(PATHS)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        tide = 1 + 0.6 * math.sin(time.monotonic() / 14) + 0.3 * random.random()
        await asyncio.sleep(0.03 / tide)
    writer.close()


async def load(port: int, seconds: float) -> list[asyncio.StreamWriter]:
    """Start the load; return the WebSockets, which stay open."""
    sockets = []
    for _ in range(WEBSOCKETS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        sockets.append(writer)
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(client(port, number, end))
    return sockets


async def wait_for(port: int) -> None:
    """Wait until ``port`` accepts connections."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def photograph(page: Page) -> None:
    """Take pictures of the status page."""
    size = "document.documentElement.scrollHeight"
    for scheme in ("light", "dark"):
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        await page.ask("Emulation.setEmulatedMedia", features=media)
        await asyncio.sleep(1.5)
        height = await page.evaluate(size)
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
        taken = await page.ask(
            "Page.captureScreenshot", clip=clip, captureBeyondViewport=True
        )
        data = base64.b64decode(taken["data"])
        (DOCS / f"status-{scheme}.png").write_bytes(data)


@contextlib.asynccontextmanager
async def page_of(inside: int) -> AsyncIterator[Page]:
    """Open the status page in a browser."""
    import websockets

    folder = tempfile.mkdtemp()
    browser = Browser(folder)
    try:
        url = browser.new_page(f"http://127.0.0.1:{inside}/")
        async with websockets.connect(url, max_size=1 << 26) as channel:
            page = Page(channel)
            await page.until("Number(document.body?.dataset.news || 0) >= 3")
            await page.ask(
                "Emulation.setDeviceMetricsOverride",
                width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False,
            )  # fmt: skip
            yield page
    finally:
        browser.stop()
        shutil.rmtree(folder, ignore_errors=True)


def screen_of(inside: int) -> str:
    """Return the output of ``bolide top`` in a terminal, with its escapes."""
    child, terminal = pty.fork()
    if child == 0:
        words = [
            sys.executable,
            "-m",
            "bolide",
            "top",
            "-n",
            "4",
            f"127.0.0.1:{inside}",
        ]
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, words)
    size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal was closed
        while more := os.read(terminal, 65536):
            shown += more
    os.waitpid(child, 0)
    return SCREEN.findall(shown.decode())[-1]


def bars_of(text: str, x: float, y: float) -> list[str]:
    """Return the blocks of ``text`` as rectangles, without gaps between lines."""
    drawn = []
    for number, block in enumerate(text):
        height = CELL_H * (BARS.index(block) + 1) / 8
        drawn.append(
            f'<rect x="{x + number * CELL_W:.1f}" y="{y + CELL_H - height:.1f}" '
            f'width="{CELL_W}" height="{height:.1f}" fill="#58a6ff"/>'
        )
    return drawn


def drawing_of(screen: str) -> str:
    """Return an SVG of a terminal's lines."""
    lines = screen.replace("\r", "").split("\n")
    width, height = COLUMNS * CELL_W + 2 * EDGE, len(lines) * CELL_H + 2 * EDGE
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}" role="img" aria-label="bolide top">',
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#161b22"/>',
        '<g font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" '
        'font-size="14" fill="#d0d7de" xml:space="preserve">',
    ]
    for row, line in enumerate(lines):
        column, look = 0, ""
        y = EDGE + row * CELL_H + 14
        for part in re.split(r"(\x1b\[[0-9;]*[A-Za-z])", line):
            code = CODE.fullmatch(part)
            if code:
                look = LOOKS.get(code[1], "") if code[2] == "m" else look
            elif part:
                for word in re.finditer(r"[▁-█]+|[^\s▁-█]+(?: [^\s▁-█]+)*", part):
                    x = EDGE + (column + word.start()) * CELL_W
                    if word[0][0] in BARS:
                        drawn += bars_of(word[0], x, EDGE + row * CELL_H)
                        continue
                    length = len(word[0]) * CELL_W
                    drawn.append(
                        f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" {look}>'
                        f"{html.escape(word[0])}</text>"
                    )
                column += len(part)
    return "\n".join([*drawn, "</g>", "</svg>", ""])


async def run(seconds: float) -> None:
    """Create all pictures."""
    port, inside = free_port(), free_port()
    running = server(port, inside)
    try:
        await wait_for(port)
        await wait_for(inside)
        async with page_of(inside) as page:
            loading = asyncio.create_task(load(port, seconds + 30))
            await asyncio.sleep(seconds)
            screen = await asyncio.to_thread(screen_of, inside)
            (DOCS / "top.svg").write_text(drawing_of(screen), encoding="utf-8")
            await photograph(page)
            loading.cancel()
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(30)


def main() -> int:
    """Create the pictures."""
    if not shutil.which("chromium"):
        print("no chromium: tools/setup.sh --browser installs it")
        return 1
    DOCS.mkdir(exist_ok=True)
    asyncio.run(run(float(sys.argv[1]) if len(sys.argv) > 1 else 180))
    return 0


if __name__ == "__main__":
    sys.exit(main())
