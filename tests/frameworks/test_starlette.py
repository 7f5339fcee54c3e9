"""Starlette over real sockets."""

import hashlib
from pathlib import Path

import pytest

from examples import EXAMPLES, Served, serving, wait_until

pytest.importorskip("starlette")

TARGET = "starlette_app:app"


def test_the_address_of_the_client_is_known(client):
    assert client.get("/").text == "Hello, 127.0.0.1!\n"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_body_is_streamed(client, chunked):
    pieces = [bytes([n]) * 100_000 for n in range(20)]
    whole = b"".join(pieces)
    answer = client.post("/digest", content=iter(pieces) if chunked else whole)
    wanted = {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    assert answer.json() == wanted


def test_a_response_body_is_streamed(client):
    answer = client.get("/count/10000")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.text == "".join(f"{n}\n" for n in range(10000))


def test_files_are_served_whole_in_ranges_and_by_time(tmp_path, monkeypatch):
    """FileResponse and StaticFiles pass the path to the engine (ASGI G6)."""
    from serving import Serving
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    whole = bytes(range(256)) * 1000
    (tmp_path / "a.bin").write_bytes(whole)
    (tmp_path / "a.txt").write_text("small")
    monkeypatch.chdir(tmp_path.parent)
    files = StaticFiles(directory=tmp_path.name)
    with Serving(Starlette(routes=[Mount("/files", files)])) as serving:
        answer = serving.ask("/files/a.bin")
        assert (answer.status, answer.body) == (200, whole)
        assert serving.ask("/files/a.txt").body == b"small"
        part = serving.ask("/files/a.bin", "Range: bytes=1000-1999\r\n")
        assert (part.status, part.body) == (206, whole[1000:2000])
        fields = f"If-None-Match: {answer.field('etag')}\r\n"
        assert serving.ask("/files/a.bin", fields).status == 304
        assert serving.ask("/files/none").status == 404
        head = serving.ask("/files/a.bin", method="HEAD")
        assert head.field("content-length") == str(len(whole))
        assert serving.log.exceptions == []


def test_a_background_task_runs_after_the_response(client):
    assert client.post("/later", params={"name": "ada"}).status_code == 202
    wait_until(lambda: "ada" in client.get("/done").json())


def test_an_http_exception_becomes_its_status(client):
    answer = client.get("/teapot")
    assert (answer.status_code, answer.text) == (418, "short and stout")


def test_a_wrong_method_is_405_and_a_missing_path_is_404(client):
    assert client.get("/digest").status_code == 405
    assert client.get("/nowhere").status_code == 404


def test_a_file_is_served_whole_and_in_part(client):
    source = Path(EXAMPLES, "starlette_app.py").read_bytes()
    assert client.get("/source").content == source
    part = client.get("/source", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, source[10:20])
    assert client.get("/static/hello.py").content.startswith(b'"""The smallest')


def test_head_of_a_file_has_its_length(client):
    answer = client.head("/source")
    length = Path(EXAMPLES, "starlette_app.py").stat().st_size
    assert (answer.headers["content-length"], answer.content) == (str(length), b"")


def test_a_failing_handler_is_500_and_others_continue():
    with serving(TARGET) as command:
        served = Served(command)
        with served.client() as client:
            assert client.get("/broken").status_code == 500
            assert client.get("/").status_code == 200
        _, err = served.stop()
    assert err.count("RuntimeError: this handler is broken") == 1
