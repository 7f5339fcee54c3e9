"""What a server still does for its clients when more of them come than it can serve.

Each request costs 5 ms of CPU. Clients come at a fixed rate, each on a connection of
its own, and give up after a second. Goodput is what they got in time, as a multiple of
what the server serves to four clients that ask one request after the other.
"""

import asyncio
import contextlib
import os
import sys
import time

TIMES = (0.5, 1.5, 3, 10)
PATIENCE_S = 1.0
SECONDS = 6.0
CAPACITY_S = 2.0
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def request(port):
    """Ask once on a new connection; return whether the answer is 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        return head.startswith(b"HTTP/1.1 200 ")
    finally:
        writer.close()


async def ask(port, done):
    """Ask with patience; note when a good answer came."""
    with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):
        if await asyncio.wait_for(request(port), PATIENCE_S):
            done.append(time.monotonic())


async def capacity(port):
    """Return how many requests a second four clients get that wait."""
    done = []
    end = time.monotonic() + CAPACITY_S

    async def client():
        while time.monotonic() < end:
            await ask(port, done)

    await asyncio.gather(*(client() for _ in range(4)))
    return len(done) / CAPACITY_S


async def load(port, rate, seconds):
    """Have clients come at ``rate``; return the second half's goodput per second."""
    done, tasks = [], set()
    began = time.monotonic()
    for n in range(int(rate * seconds)):
        wait = began + n / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(ask(port, done))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    end = time.monotonic()
    half = began + (end - began) / 2
    goodput = sum(half <= at < end for at in done) / (end - half)
    await asyncio.gather(*tasks)
    return goodput


async def recovery(port, most=20.0):
    """Return after how many seconds a client gets a good answer again."""
    began = time.monotonic()
    done = []
    while not done and time.monotonic() - began < most:
        await ask(port, done)
    return time.monotonic() - began


async def measure(port, times):
    """Return goodput at each multiple of the capacity, and the time to recover."""
    most = await capacity(port)
    found = []
    for each in times:
        found.append(await load(port, each * most, SECONDS) / most)
    return most, found, await recovery(port)


def lines(names, ports):
    """Return the table of goodput under overload."""
    import servers
    from works import Work

    work = Work("overload", "spin")
    os.sched_setaffinity(0, {int(servers.CORE_OF_CLIENT)})
    found = [
        "5 ms of CPU a request, clients that give up after a second:"
        " goodput in multiples of the capacity",
        "",
        "| server | capacity, requests/s | "
        + " | ".join(f"at {x:g} times" for x in TIMES)
        + " | serves again after s |",
        "|---|---:|" + "---:|" * (len(TIMES) + 1),
    ]
    for name in names:
        port = next(ports)
        try:
            with servers.running(name, work, port):
                most, goodput, again = asyncio.run(measure(port, TIMES))
        except (OSError, RuntimeError) as problem:
            found.append(f"| {name} | {problem} |" + " |" * (len(TIMES) + 1))
            continue
        cells = " | ".join(f"{x:.2f}" for x in goodput)
        found.append(f"| {name} | {most:.0f} | {cells} | {again:.2f} |")
    return found


if __name__ == "__main__":
    most, goodput, again = asyncio.run(
        measure(int(sys.argv[1]), [float(x) for x in sys.argv[2:]])
    )
    print(f"{most:.0f}/s", *(f"{x:.2f}" for x in goodput), f"again {again:.2f} s")
