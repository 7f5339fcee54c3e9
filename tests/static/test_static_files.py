"""What a file's response has: fields, encodings, ranges and conditions.

Covers src/static/respond.c, src/static/send.c and src/py/static.c.
"""

import gzip
import hashlib
import os
import re

import pytest
from fetching import APPLICATION, app
from serving import Serving, body_of, read_answer, request

MIB = 1 << 20
OLD = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def write(path, data, age=0):
    """Write a file whose time is ``age`` seconds after that of the others."""
    path.write_bytes(data)
    os.utime(path, (OLD + age, OLD + age))


def test_a_file_has_its_fields(site):
    with site.serve() as ask:
        for _ in range(2):  # read by a thread, then kept
            got = ask("/static/hello.txt")
            assert (got.status, got.body) == (200, b"hello")
            assert got.field("content-type") == "text/plain; charset=utf-8"
            assert got.field("content-length") == "5"
            assert got.field("accept-ranges") == "bytes"
            assert got.field("last-modified") == DATE
            assert re.fullmatch(r'"[0-9a-f.-]+"', got.field("etag"))
            assert got.field("vary") is None
            assert got.field("cache-control") is None


def test_the_access_log_tells_files_from_the_application(tmp_path):
    """The atom %(static)s of docs/LOGS.md, read by a thread and kept."""
    (tmp_path / "a.txt").write_text("hello")
    settings = {
        "access_log": True,
        "access_log_file": str(tmp_path / "log"),
        "access_log_format": "%(U)s=%(static)s",
    }
    with Serving(app, static=[f"/static={tmp_path}"], **settings) as serving:
        for path in ("/static/a.txt", "/static/a.txt", "/static/none", "/"):
            serving.ask(path)
    assert (tmp_path / "log").read_text().split() == [
        "/static/a.txt=file",
        "/static/a.txt=file",
        "/static/none=-",
        "/=-",
    ]


def test_head_has_the_fields_without_the_body(site):
    with site.serve() as ask:
        got = ask("/static/hello.txt", method="HEAD")
        assert (got.status, got.body) == (200, b"")
        assert got.field("content-length") == "5"


def test_other_methods_get_405_with_the_allowed_ones(site):
    with site.serve() as ask:
        got = ask("/static/hello.txt", method="POST", body=b"x")
        assert (got.status, got.field("allow")) == (405, "GET, HEAD")


def test_a_directory_is_redirected_with_its_query(site):
    with site.serve() as ask:
        got = ask("/static/sub?a=b")
        assert (got.status, got.field("location")) == (301, "./sub/?a=b")
        assert ask("/static/sub/").body == b"<p>sub"
        assert ask("/static").status == APPLICATION  # it has no index file


@pytest.mark.parametrize("n", [0, 1, 65536, 65537, MIB, 3 * MIB + 7])
def test_files_of_every_size_arrive(site, n):
    data = hashlib.shake_128(b"a").digest(n)
    write(site.root / "data", data)
    with site.serve() as ask:
        for _ in range(2):
            got = ask("/static/data")
            assert got.is_whole
            assert got.body == data
            assert got.field("content-length") == str(n)


def test_a_file_that_is_not_in_memory_is_read_by_a_thread(site):
    data = hashlib.shake_128(b"d").digest(3 * MIB + 7)
    write(site.root / "data", data)
    with site.serve() as ask, (site.root / "data").open("rb") as file:
        for field, want in (("", data), ("Range: bytes=9-,0-1\r\n", data[9:])):
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            got = ask("/static/data", field)
            assert got.is_whole
            assert want in got.body


@pytest.mark.parametrize("n", [1000, 3 * MIB])
def test_a_range_is_sent(site, n):
    data = hashlib.shake_128(b"b").digest(n)
    write(site.root / "data", data)
    with site.serve() as ask:
        got = ask("/static/data", f"Range: bytes=10-{n - 10}\r\n")
        assert (got.status, got.body) == (206, data[10 : n - 9])
        assert got.field("content-range") == f"bytes 10-{n - 10}/{n}"
        got = ask("/static/data", f"Range: bytes={n}-\r\n")
        assert (got.status, got.field("content-range")) == (416, f"bytes */{n}")


@pytest.mark.parametrize("n", [1000, 3 * MIB])
def test_many_ranges_are_one_multipart_body(site, n):
    data = hashlib.shake_128(b"c").digest(n)
    write(site.root / "data.bin", data)
    with site.serve() as ask:
        got = ask("/static/data.bin", f"Range: bytes=0-9,{n // 2}-,20-29\r\n")
    assert got.status == 206
    kind, _, boundary = got.field("content-type").partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert got.field("content-length") == str(len(got.body))
    wanted = b""
    for first, last in ((0, 9), (n // 2, n - 1), (20, 29)):
        wanted += (
            f"\r\n--{boundary}\r\ncontent-type: application/octet-stream\r\n"
            f"content-range: bytes {first}-{last}/{n}\r\n\r\n"
        ).encode() + data[first : last + 1]
    wanted += f"\r\n--{boundary}--\r\n".encode()
    assert got.body == wanted[2:]


def test_sixteen_ranges_are_sent(site):
    write(site.root / "data", bytes(1000))
    ranges = ",".join(f"{x * 10}-{x * 10 + 1}" for x in range(16))
    with site.serve() as ask:
        got = ask("/static/data", f"Range: bytes={ranges}\r\n")
        assert got.status == 206
        assert got.body.count(b"content-range:") == 16


def test_if_range_needs_the_same_file(site):
    with site.serve() as ask:
        etag = ask("/static/hello.txt").field("etag")
        for value, status in ((etag, 206), (DATE, 206), ('"other"', 200)):
            got = ask("/static/hello.txt", f"Range: bytes=0-1\r\nIf-Range: {value}\r\n")
            assert got.status == status


def test_a_file_that_the_client_has_is_not_sent(site):
    with site.serve(static_cache_control=[("*", "max-age=60")]) as ask:
        etag = ask("/static/hello.txt").field("etag")
        for field in (f"If-None-Match: {etag}", f"If-Modified-Since: {DATE}"):
            got = ask("/static/hello.txt", f"{field}\r\n")
            assert (got.status, got.body) == (304, b"")
            assert got.field("etag") == etag
            assert got.field("cache-control") == "max-age=60"
            assert got.field("content-type") is None


def test_precompressed_siblings_are_chosen(site):
    text = b"let a = 1;\n" * 100
    write(site.root / "a.js", text)
    write(site.root / "a.js.gz", gzip.compress(text))
    write(site.root / "a.js.br", b"brotli")
    write(site.root / "a.js.zst", b"zstd", age=-1)  # older than the file
    cases = {
        "": None,
        "Accept-Encoding: gzip\r\n": "gzip",
        "Accept-Encoding: gzip, br\r\n": "br",
        "Accept-Encoding: gzip, br;q=0.5\r\n": "gzip",
        "Accept-Encoding: zstd\r\n": None,
        "Accept-Encoding: br;q=0, gzip;q=0\r\n": None,
        "Accept-Encoding: *\r\n": "br",
    }
    etags = set()
    with site.serve() as ask:
        for field, coding in cases.items():
            got = ask("/static/a.js", field)
            assert got.field("content-encoding") == coding
            assert got.field("content-type") == "text/javascript; charset=utf-8"
            assert got.field("vary") == "accept-encoding"
            etags.add((coding, got.field("etag")))
        assert len(etags) == 3
        got = ask("/static/a.js", "Accept-Encoding: gzip\r\nRange: bytes=0-1\r\n")
        assert (got.status, got.body) == (206, b"\x1f\x8b")


def test_cache_control_is_by_pattern(site):
    rules = {"/sub/*": "no-cache", "hashed": "immutable"}
    with site.serve(static_cache_control=rules) as ask:
        got = ask("/static/app.3f2a9c1b.js").field("cache-control")
        assert got == "public, max-age=31536000, immutable"
        assert ask("/static/sub/").field("cache-control") == "no-cache"
        assert ask("/static/hello.txt").field("cache-control") is None


def test_the_fallback_is_for_pages(site):
    with site.serve(static_fallback="sub/index.html") as ask:
        for _ in range(2):
            got = ask("/static/a/page", "Accept: text/html,*/*;q=0.8\r\n")
            assert (got.status, got.body) == (200, b"<p>sub")
            assert ask("/static/a/page", "Accept: */*\r\n").status == APPLICATION
            got = ask("/static/a/page", "Accept: text/html\r\n", method="POST")
            assert got.status == APPLICATION
            got = ask("/static/.env", "Accept: text/html\r\n")
            assert got.status == APPLICATION


def test_the_fallback_may_be_missing(site):
    with site.serve(static_fallback="none.html") as ask:
        for _ in range(2):
            got = ask("/static/a/page", "Accept: text/html\r\n")
            assert got.status == APPLICATION


def test_the_longest_prefix_counts(site):
    with site.serve(f"/={site.root}", f"/x={site.root}/sub") as ask:
        assert ask("/hello.txt").body == b"hello"
        assert ask("/x/index.html").body == b"<p>sub"
        assert ask("/x/hello.txt").status == APPLICATION
        assert ask("/x").status == 301
        assert ask("/.well-known/none").status == APPLICATION


def test_well_known_files_are_served(site):
    (site.root / ".well-known").mkdir()
    write(site.root / ".well-known" / "a", b"acme")
    with site.serve(f"/={site.root}") as ask:
        assert ask("/.well-known/a").body == b"acme"


def test_types_come_from_a_file(site, tmp_path):
    (tmp_path / "types").write_text("application/x-made-up up\n")
    write(site.root / "a.up", b"")
    with site.serve(static_types=str(tmp_path / "types")) as ask:
        assert ask("/static/a.up").field("content-type") == "application/x-made-up"


def test_unreadable_files_are_forbidden(site):
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    (site.root / "hello.txt").chmod(0)
    with site.serve() as ask:
        assert ask("/static/hello.txt").status == 403


def test_requests_are_counted(plain_site):
    with Serving(
        app, static=[f"/static={plain_site.root}"], metrics_path="/metrics"
    ) as serving:
        for path in ("hello.txt", "hello.txt", "none", "none", "none"):
            serving.ask(f"/static/{path}")
        text = serving.ask("/metrics").body.decode()
    found = re.findall(
        r'^bolide_static_requests_total{result="(\w+)"} (\d+)$', text, re.M
    )
    assert dict(found) == {"kept": "1", "read": "2", "none": "2"}


def test_pipelined_requests_keep_their_order(plain_site):
    with Serving(app, static=[f"/static={plain_site.root}"]) as serving:
        for _ in range(2):
            paths = ("/static/hello.txt", "/static/sub/", "/static/hello.txt")
            data = b"".join(request(x) for x in paths)
            got = serving.talk(data + request("/x", "Connection: close\r\n"))
            places = [got.index(x) for x in (b"hello", b"<p>sub", b"/x")]
            assert places == sorted(places)
            assert got.count(b"hello") == 2


def test_any_segmentation_gets_the_same(plain_site):
    data = request("/static/hello.txt", "Range: bytes=1-2\r\nConnection: close\r\n")
    with Serving(app, static=[f"/static={plain_site.root}"]) as serving:
        whole = body_of(serving.talk(data))
        for cut in range(1, len(data)):
            with serving.connect() as sock:
                sock.sendall(data[:cut])
                sock.sendall(data[cut:])
                got = read_answer(sock)
                assert (got.status, got.body) == (206, whole)
