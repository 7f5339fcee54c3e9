"""A Django project over real sockets: the ORM, the admin, streaming."""

import os
import re
import subprocess
import sys

import pytest

from examples import EXAMPLES, Served, serving

pytest.importorskip("django")

PROJECT = EXAMPLES / "django_app"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the project with a new database and one superuser."""
    env = {
        "DJANGO_DATABASE": str(tmp_path_factory.mktemp("django") / "db.sqlite3"),
        "DJANGO_SUPERUSER_PASSWORD": "open sesame",
    }
    for words in (
        ["migrate", "--verbosity", "0"],
        [
            "createsuperuser",
            "--no-input",
            "--username",
            "ada",
            "--email",
            "ada@example.org",
        ],
    ):
        subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=PROJECT,
            env={
                k: v for k, v in {**os.environ, **env}.items() if k != "PYTHONSAFEPATH"
            },
            check=True,
            capture_output=True,
        )
    with serving("asgi:app", folder=PROJECT, env=env) as command:
        yield Served(command)


@pytest.fixture
def client(site):
    """Return a client with its own cookies."""
    with site.client() as client:
        yield client


def token_of(page):
    """Return the CSRF token of a form."""
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text).group(1)


def log_in(client, password):
    """Fill in the admin's login form."""
    page = client.get("/admin/login/", params={"next": "/admin/"})
    form = {"username": "ada", "password": password, "next": "/admin/"}
    form["csrfmiddlewaretoken"] = token_of(page)
    return client.post("/admin/login/", data=form)


def test_notes_are_written_and_listed(client):
    assert client.post("/add", data={"text": "first"}).status_code == 201
    assert "first" in client.get("/").json()["notes"]
    assert client.get("/add").status_code == 405


def test_the_admin_asks_for_a_login(client):
    answer = client.get("/admin/")
    assert answer.status_code == 302
    assert answer.headers["location"] == "/admin/login/?next=/admin/"


def test_a_wrong_password_is_rejected(client):
    answer = log_in(client, "guessed")
    assert answer.status_code == 200
    assert "correct username and password" in answer.text


def test_a_note_can_be_added_in_the_admin(client):
    answer = log_in(client, "open sesame")
    assert answer.status_code == 302
    assert client.cookies["sessionid"]
    assert "Site administration" in client.get("/admin/").text
    page = client.get("/admin/notes/note/add/")
    form = {"csrfmiddlewaretoken": token_of(page), "text": "by the admin"}
    assert client.post("/admin/notes/note/add/", data=form).status_code == 302
    assert "by the admin" in client.get("/").json()["notes"]


def test_a_form_without_its_token_is_rejected(client):
    answer = client.post("/admin/login/", data={"username": "ada", "password": "x"})
    assert answer.status_code == 403


def test_a_streamed_response_is_complete(client):
    assert client.get("/lines/5000").text == "".join(f"{n}\n" for n in range(5000))


def test_static_files_of_the_admin_are_served(client):
    assert "--primary" in client.get("/static/admin/css/base.css").text
