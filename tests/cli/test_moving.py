"""docs/MOVING.md: what it says of other servers' options is true."""

import re
import shlex

import pytest
from test_docs import ROOT, rows, words_of

from bolide.options import by_name
from bolide.settings import UsageError, gather
from bolide.synonyms import HINTS, MEANINGLESS, SYNONYMS

MOVES = [tuple(words_of(x)[0] for x in row) for row in rows("MOVING.md", "theirs")]
TEXT = (ROOT / "docs" / "MOVING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("theirs", "ours"), dict.fromkeys(MOVES))
def test_a_name_from_elsewhere_means_ours(theirs, ours):
    settings = gather(["a:b", *shlex.split(theirs)], {}).settings
    option, means = by_name()[ours]
    given = settings[option.field]
    assert set(settings) == {"app", option.field}
    if option.kind == "switch":
        assert given.value is means


def test_every_name_that_is_accepted_is_in_the_document():
    names = {theirs.split()[0] for theirs, _ in MOVES}
    for name, ours in SYNONYMS.items():
        if ours in by_name() and not name.startswith("--pidfile"):
            assert name in names


def test_names_that_change_nothing_are_said_so_once():
    for name, takes in MEANINGLESS.items():
        words = [name, "value"] if takes else [name]
        gathered = gather(["a:b", *words], {})
        assert gathered.notes == [f"{name} has no meaning in bolide"]
        assert set(gathered.settings) == {"app"}
        assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", HINTS)
def test_names_that_are_refused_say_what_to_give(name):
    with pytest.raises(UsageError) as raised:
        gather(["a:b", name, "value"], {})
    assert str(raised.value) == f"there is no option {name}: {HINTS[name]}"
    for ours in re.findall(r"--[\w-]+", HINTS[name]):
        assert ours in by_name()


def test_synonyms_hide_no_option():
    from bolide.options import OPTIONS

    own = {x for option in OPTIONS for x in (option.name, option.negative)}
    assert not own & (set(SYNONYMS) | set(MEANINGLESS) | set(HINTS))


def test_settings_of_gunicorn_that_count_are_settings_of_gunicorn():
    from gunicorn.config import Config

    paragraph = TEXT.partition("These of its settings count: ")[2].partition(". All")[0]
    names = set(re.findall(r"`(\w+)`", paragraph))
    assert names <= set(Config().settings)
    assert len(names) > 20
