"""Changes of files are noticed; blocked file systems hold nothing up; forks are safe.

Covers src/static/changes.c, src/static/roots.c and src/static/threads.c.

"""

import os
import socket
import threading
import time

from fetching import APPLICATION, app
from serving import DEADLINE_S, Serving, read_all, read_answer, request


def until(check):
    """Repeat ``check`` until it is true, for as long as the promise lasts."""
    end = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_changes_of_files_are_noticed(site):
    with site.serve() as ask:
        path = site.root / "new.txt"
        assert ask("/static/new.txt").status == APPLICATION
        path.write_text("one")
        until(lambda: ask("/static/new.txt").body == b"one")
        path.write_text("two two")
        until(lambda: ask("/static/new.txt").body == b"two two")
        (site.root / "other").write_text("three")
        os.replace(site.root / "other", path)
        until(lambda: ask("/static/new.txt").body == b"three")
        path.unlink()
        until(lambda: ask("/static/new.txt").status == APPLICATION)


def test_changes_of_directories_are_noticed(site):
    with site.serve() as ask:
        assert ask("/static/a/b/c").status == APPLICATION
        (site.root / "a" / "b").mkdir(parents=True)
        (site.root / "a" / "b" / "c").write_text("c")
        until(lambda: ask("/static/a/b/c").body == b"c")
        (site.root / "a").rename(site.root / "z")
        until(lambda: ask("/static/a/b/c").status == APPLICATION)
        assert ask("/static/z/b/c").body == b"c"


def test_changes_of_index_files_and_siblings_are_noticed(site):
    with site.serve() as ask:
        assert ask("/static/sub/").body == b"<p>sub"
        (site.root / "sub" / "index.html").write_text("changed")
        until(lambda: ask("/static/sub/").body == b"changed")
        (site.root / "sub" / "index.html.br").write_text("brotli")
        br = "Accept-Encoding: br\r\n"
        until(lambda: ask("/static/sub/", br).field("content-encoding") == "br")
        (site.root / "sub" / "index.html").unlink()
        until(lambda: ask("/static/sub").status == APPLICATION)


def test_another_release_is_noticed(site, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    link = tmp_path / "current"
    link.symlink_to("one")
    with site.serve(f"/static={link}") as ask:
        assert ask("/static/a").body == b"one"
        (tmp_path / "next").symlink_to("two")
        os.replace(tmp_path / "next", link)
        until(lambda: ask("/static/a").body == b"two")


def test_a_linked_file_is_read_again(site):
    """Its directory is not watched, so it is kept for a second only."""
    (site.root / "sub" / "target").write_text("one")
    (site.root / "link").symlink_to("sub/target")
    with site.serve() as ask:
        assert ask("/static/link").body == b"one"
        (site.root / "sub" / "target").write_text("two")
        until(lambda: ask("/static/link").body == b"two")


def test_waiting_clients_may_leave(plain_site):
    with Serving(app, static=[f"/static={plain_site.root}"]) as serving:
        for i in range(50):
            with serving.connect() as sock:
                sock.sendall(request(f"/static/none{i}"))
        assert serving.ask("/static/hello.txt").body == b"hello"


def test_a_file_that_becomes_shorter_is_visible(plain_site):
    path = plain_site.root / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    with (
        Serving(app, static=[f"/static={plain_site.root}"]) as serving,
        serving.connect() as sock,
    ):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(request("/static/large"))
        assert sock.recv(1)
        os.truncate(path, 1000)
        assert len(read_all(sock)) < 64 << 20


def test_many_clients_share_one_read(plain_site):
    """All ask at once for a file that was not requested before."""
    (plain_site.root / "shared").write_bytes(b"x" * 1000)
    with Serving(app, static=[f"/static={plain_site.root}"]) as serving:
        socks = [serving.connect() for _ in range(50)]
        start = threading.Barrier(2)

        def send():
            start.wait(DEADLINE_S)
            for sock in socks:
                sock.sendall(request("/static/shared"))

        thread = threading.Thread(target=send)
        thread.start()
        start.wait(DEADLINE_S)
        for sock in socks:
            assert read_answer(sock).body == b"x" * 1000
            sock.close()
        thread.join(DEADLINE_S)


def test_a_forked_process_of_the_application_is_harmless(plain_site):
    async def forking(scope, receive, send):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        await send({"type": "http.response.start", "status": APPLICATION})
        await send({"type": "http.response.body"})

    with Serving(forking, static=[f"/static={plain_site.root}"]) as serving:
        assert serving.ask("/static/hello.txt").body == b"hello"
        assert serving.ask("/static/none").status == APPLICATION
        (plain_site.root / "late").write_text("late")
        until(lambda: serving.ask("/static/late").body == b"late")
