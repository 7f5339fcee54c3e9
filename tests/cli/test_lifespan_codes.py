"""How the lifespan affects the start, the stop and the exit code."""

import pytest
from command import HERE, request, run_here, serve, talk


def test_startup_is_before_listening_and_shutdown_before_the_end():
    with serve("lifespan") as command:
        answer = talk(command.port(), request())
        assert answer.endswith(b"{'key': 'value'}")
        assert command.stop() == 0
        said = command.err.rest()
        words = ["lifespan.startup", "listening on", "lifespan.shutdown", "stopped"]
        places = [said.index(word) for word in words]
        assert places == sorted(places)


@pytest.fixture
def fails(capsys):
    """Return the output of a command whose application does not start."""

    def run(*words):
        words = [*words, "--app-dir", str(HERE), "--port", "0"]
        code, out, err = run_here(capsys, *words)
        assert (code, out) == (3, "")
        return err

    return run


@pytest.mark.parametrize(
    ("says", "words", "why"),
    [
        ("startup.failed", [], "no database\n  at db:5432\n"),
        (
            "raise",
            ["--lifespan", "on"],
            "the application raised ValueError('no database') before it answered "
            "lifespan.startup\n",
        ),
    ],
)
def test_a_failed_startup_exits_with_3_and_logs_why(
    says, words, why, fails, monkeypatch
):
    monkeypatch.setenv("SAYS", says)
    said = fails("apps:lifespan", *words)
    assert said.endswith(f"error    the application's startup failed: {why}")
    assert "listening on" not in said
    assert "lifespan.shutdown" not in said


def test_the_process_of_a_failed_startup_exits_with_3():
    with serve("lifespan", env={"SAYS": "startup.failed"}) as command:
        assert command.wait() == 3


def test_an_application_without_a_required_lifespan_is_not_served(fails):
    said = fails("apps:hello", "--lifespan", "on")
    assert "AssertionError" in said
    assert "error    the application's startup failed: the application " in said


def test_an_application_that_raises_is_served_in_auto():
    with serve("lifespan", env={"SAYS": "raise"}) as command:
        assert talk(command.port(), request()).endswith(b"{'key': 'value'}")
        assert "warning  the application raised ValueError" in command.err.text
        assert command.stop() == 0


def test_with_lifespan_off_the_application_is_not_called():
    with serve("lifespan", "--lifespan", "off") as command:
        assert talk(command.port(), request()).endswith(b"{}")
        assert command.stop() == 0
        assert "lifespan." not in command.err.rest()


def test_a_failed_shutdown_is_logged_and_exits_with_0():
    env = {"SAYS": "startup.complete shutdown.failed"}
    with serve("lifespan", env=env) as command:
        command.port()
        assert command.stop() == 0
        text = "error    the application's shutdown failed: no database\n  at db:5432\n"
        assert text in command.err.rest()
