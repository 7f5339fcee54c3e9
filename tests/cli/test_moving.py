"""docs/MOVING.md, docs/migration: claims about options of other servers are true."""

import re

import pytest
from test_docs import ROOT, rows, words_of

from bolide.cli.aliases import HINTS, MEANINGLESS
from bolide.cli.options import OPTIONS, by_name
from bolide.cli.sources import UsageError, gather

SERVERS = ("uvicorn", "gunicorn", "hypercorn", "daphne", "granian")
MOVES = [
    (server, words_of(row[0]), (words_of(row[1]) or [""])[0], row[2])
    for server in SERVERS
    for row in rows(f"migration/{server}.md", server)
    if len(row) == 4 and row[0].startswith("`-")
]
ALIASES = [name for option in OPTIONS for name in option.aliases]
TEXT = (ROOT / "docs" / "MOVING.md").read_text(encoding="utf-8")
VALUES = {"list": "Name:value", "bool": "on"}
SHOWS = {"--help", "--version", "--check-config", "--print-config", "--config"}


def kept(names, verdict):
    """Return those of ``names`` that a table says are accepted."""
    if verdict.startswith("only "):
        return words_of(verdict)
    return names if verdict in ("yes", "differs") else []


@pytest.mark.parametrize("move", MOVES, ids=lambda x: f"{x[0]} {x[1][-1]}")
def test_an_old_name_is_accepted_ignored_or_rejected_as_the_table_says(move):
    _, names, ours, verdict = move
    assert not ours or ours in by_name()
    for name in names:
        if verdict == "ignored":
            assert name in MEANINGLESS
        elif name in kept(names, verdict):
            assert name in by_name()
        else:
            with pytest.raises(UsageError) as raised:
                gather(["a:b", name, "value"], {})
            hint = str(raised.value)
            assert hint.startswith(f"there is no option {name}")
            assert len(name) == 2 or re.search(rf"{ours}\b", hint)


@pytest.mark.parametrize("move", MOVES, ids=lambda x: f"{x[0]} {x[1][-1]}")
def test_an_old_name_that_is_accepted_means_the_new_one(move):
    _, names, ours, verdict = move
    if verdict == "differs" or ours in SHOWS:
        return
    for name in kept(names, verdict):
        option, means = by_name()[ours]
        words = [] if option.kind == "switch" else [VALUES.get(option.kind, "1")]
        settings = gather(["a:b", name, *words], {}).settings
        assert set(settings) == {"app", option.field}
        if option.kind == "switch":
            assert settings[option.field].value is means


def test_every_name_that_is_accepted_is_in_a_table():
    names = {name for _, names, _, _ in MOVES for name in names}
    assert ALIASES
    assert set(ALIASES) - {"--pidfile"} <= names
    assert set(MEANINGLESS) <= names
    assert set(HINTS) - {"--ssl-keyfile-pass"} <= names


def test_ignored_names_are_logged_once():
    for name, takes in MEANINGLESS.items():
        words = [name, "value"] if takes else [name]
        gathered = gather(["a:b", *words], {})
        assert gathered.notes == [f"{name} is ignored: it has no effect in bolide"]
        assert set(gathered.settings) == {"app"}
        assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", HINTS)
def test_rejected_names_suggest_a_replacement(name):
    with pytest.raises(UsageError) as raised:
        gather(["a:b", name, "value"], {})
    assert str(raised.value) == f"there is no option {name}: {HINTS[name]}"
    for ours in re.findall(r"--[\w-]+", HINTS[name]):
        assert ours in by_name()


def test_aliases_hide_no_option():
    own = {x for option in OPTIONS for x in (option.name, option.negative)}
    assert not own & {*ALIASES, *MEANINGLESS, *HINTS}


def test_the_listed_settings_exist_in_gunicorn():
    from gunicorn.config import Config

    page = ROOT / "docs" / "migration" / "gunicorn.md"
    text = page.read_text(encoding="utf-8")
    after = text.partition("these settings of gunicorn: ")[2]
    paragraph = after.partition("Set any")[0]
    names = set(re.findall(r"`(\w+)`", paragraph))
    assert names <= set(Config().settings)
    assert len(names) > 20
