"""A headless Chromium, driven through its DevTools protocol."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import urllib.request

DEADLINE_S = 60 * int(os.environ.get("PATIENCE", "1"))
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def short_certificate(folder):
    """Create a certificate that a page may accept by its hash: by ECDSA, and valid for
    less than two weeks. Return its path and that of its key.
    """
    cert, key = folder / "cert.pem", folder / "key.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    words += f" -keyout {key} -out {cert} -days 10 -subj /CN=127.0.0.1"
    subprocess.run(words.split(), check=True, capture_output=True)
    return cert, key


NO_PAGE = -32000
"""The protocol's error while a tab navigates from one page to another."""


class NoPageError(Exception):
    """Raised while there is no page."""


class Page:
    """One tab."""

    def __init__(self, socket):
        self.socket = socket
        self.numbers = itertools.count(1)

    async def ask(self, method, **params):
        """Call a method of the protocol and return its result."""
        number = next(self.numbers)
        said = {"id": number, "method": method, "params": params}
        await self.socket.send(json.dumps(said))
        while (answer := json.loads(await self.socket.recv())).get("id") != number:
            pass
        if answer.get("error", {}).get("code") == NO_PAGE:
            raise NoPageError
        assert "error" not in answer, answer
        return answer["result"]

    async def evaluate(self, expression):
        """Return the value of a JavaScript expression; None between two pages."""
        try:
            result = await self.ask("Runtime.evaluate", expression=expression)
        except NoPageError:
            return None
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, condition):
        """Poll until an expression is true."""
        async with asyncio.timeout(DEADLINE_S):
            while not await self.evaluate(condition):
                await asyncio.sleep(0.02)

    async def close(self):
        """Close the tab."""
        await self.ask("Page.close")


class Browser:
    """A running browser."""

    def __init__(self, folder, *more):
        """``more`` are additional options of the command."""
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        words += ["--remote-debugging-port=0", f"--user-data-dir={folder}"]
        self.process = subprocess.Popen(
            [BROWSER, *words, *more, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.process.stderr:
            if line.startswith("DevTools listening on "):
                self.place = line.split("/")[2]
                return
        raise RuntimeError("the browser has ended")

    def new_page(self, url):
        """Open a tab; return the address of its protocol endpoint."""
        ask = urllib.request.Request(
            f"http://{self.place}/json/new?{url}", method="PUT"
        )
        with urllib.request.urlopen(ask, timeout=DEADLINE_S) as answer:
            return json.load(answer)["webSocketDebuggerUrl"]

    def stop(self):
        """Stop the browser."""
        self.process.kill()
        self.process.wait()
