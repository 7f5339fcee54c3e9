"""FastAPI over real sockets."""

import asyncio
import json
import subprocess

import httpx
import pytest

from examples import wait_until

pytest.importorskip("fastapi")

TARGET = "fastapi_app:app"
LAMP = {"name": "lamp", "price": 9.5, "tags": ["light"]}


def test_a_route_gets_its_parameters(client):
    assert client.get("/items/7").json() == LAMP
    assert client.get("/items/7", params={"upper": True}).json()["name"] == "LAMP"


def test_an_invalid_model_is_rejected(client):
    assert client.get("/items/seven").status_code == 422
    answer = client.post("/items/8", json={"name": "", "price": -1})
    assert answer.status_code == 422
    assert {tuple(x["loc"]) for x in answer.json()["detail"]} == {
        ("body", "name"),
        ("body", "price"),
    }


def test_a_body_is_read_and_a_background_task_runs_after_the_response(client):
    item = {"name": "table", "price": 80.0, "tags": []}
    answer = client.post("/items/9", json=item)
    assert (answer.status_code, answer.json()) == (201, item)
    assert client.get("/items/9").json() == item
    wait_until(lambda: "new: table" in client.get("/mails").json())


def test_an_upload_of_5_mb_is_received(client):
    data = bytes(range(256)) * (5 * 4096)
    answer = client.post("/upload", files={"file": ("data.bin", data)})
    assert answer.json() == {"name": "data.bin", "size": len(data)}


def test_an_upload_from_a_pipe_is_chunked(served):
    data = b"x" * 300_000
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    command = ["curl", "--silent", "--fail", "-T", "-", "-X", "POST", "--max-time"]
    command += ["30", "-H", "Content-Type: multipart/form-data; boundary=b"]
    answer = subprocess.run(
        [*command, f"{served.url}/upload"],
        input=form + data + b"\r\n--b--\r\n",
        check=True,
        capture_output=True,
    )
    assert json.loads(answer.stdout) == {"name": "f", "size": len(data)}


def test_server_sent_events_arrive_one_by_one(client):
    with client.stream("GET", "/events", params={"times": 3}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [x for x in answer.iter_lines() if x.startswith("data:")]
    assert lines == [f'data: {{"tick": {n}}}' for n in range(3)]


def test_an_event_stream_ends_when_its_client_disconnects(served, client):
    with (
        served.client() as other,
        other.stream("GET", "/events", params={"times": 100_000}) as answer,
    ):
        next(answer.iter_lines())
        assert client.get("/listeners").json() == 1
    wait_until(lambda: client.get("/listeners").json() == 0)


def test_a_function_that_blocks_runs_in_a_thread(client):
    assert client.get("/sync").json() == "from a thread"


def test_many_clients_are_served_at_once(served):
    async def main():
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(
            base_url=served.url, limits=limits, timeout=30
        ) as client:
            answers = await asyncio.gather(
                *(client.get("/items/7") for _ in range(200))
            )
        return [answer.json() for answer in answers]

    assert asyncio.run(main()) == [LAMP] * 200


def test_the_documentation_pages_are_served(client):
    assert client.get("/openapi.json").json()["info"]["title"] == "FastAPI"
    assert "swagger" in client.get("/docs").text
