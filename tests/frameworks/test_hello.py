"""The smallest application, with curl and httpx."""

import subprocess

from examples import Served, serving

TARGET = "hello:app"
HELLO = b"Hello, world!\n"


def curl(*words):
    """Return the output of curl."""
    command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30", *words]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_curl_gets_the_response(served):
    assert curl(served.url) == HELLO


def test_curl_gets_the_response_over_http_1_0(served):
    assert curl("--http1.0", served.url) == HELLO


def test_curl_gets_two_responses_on_one_connection(served):
    words = ["--write-out", "%{num_connects}\n", served.url, served.url]
    assert curl(*words) == HELLO + b"1\n" + HELLO + b"0\n"


def test_head_has_the_fields_and_no_body(served):
    head = curl("--head", served.url)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ncontent-length: 14\r\n" in head
    assert head.endswith(b"\r\n\r\n")


def test_each_response_has_date_and_server(client):
    answer = client.get("/")
    assert answer.headers["server"] == "bolide"
    assert answer.headers["date"].endswith(" GMT")


def test_an_unknown_upgrade_is_a_plain_request(served):
    words = ["-H", "Connection: Upgrade", "-H", "Upgrade: h2c", served.url]
    assert curl(*words) == HELLO


def test_each_request_has_a_line_in_the_access_log():
    with serving(TARGET) as command:
        served = Served(command)
        curl(served.url + "/some/path?q=1")
        out, err = served.stop()
    assert '"GET /some/path?q=1 HTTP/1.1" 200 14' in out
    assert "Traceback" not in err
