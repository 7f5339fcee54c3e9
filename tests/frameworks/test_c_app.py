"""The application in C over a real socket."""

import pytest

pytest.importorskip("c_app")

TARGET = "c_app:app"


def test_it_responds_with_a_greeting(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.content


def test_it_echoes_a_body_of_many_messages(client):
    body = b"x" * 1_000_000
    assert client.post("/", content=body).content == body
