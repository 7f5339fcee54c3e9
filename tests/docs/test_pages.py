"""Each command of the tutorial and the how-to pages has the documented effect."""

import shutil
import tempfile
from pathlib import Path

import pytest
from pages import ROOT, Reader, blocks_of

TUTORIAL = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
HOW_TO = sorted((ROOT / "docs" / "howto").glob("*.md"))


def first_words(block):
    """Return the commands that a block needs."""
    return {x.removeprefix("$ ").split(" ")[0] for x in block.text.splitlines()}


def play(page, folder, before=()):
    """Run ``page`` in ``folder``, with the files of the pages ``before`` it."""
    with Reader(folder) as reader:
        for earlier in before:
            for block in blocks_of(earlier):
                if block.title and block.is_run:
                    reader.write(block)
        blocks = [x for x in blocks_of(page) if x.is_run]
        for block in blocks:
            for name in ("nginx", "openssl", "curl"):
                if name in first_words(block) and not shutil.which(name):
                    pytest.skip(f"no {name} here")
            reader.run(block)
        reader.stop()


@pytest.fixture
def folder():
    """A folder that other users, such as nginx's, may enter."""
    with tempfile.TemporaryDirectory(prefix="bolide-page-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("page", TUTORIAL, ids=lambda x: x.stem)
def test_a_page_of_the_tutorial_works(page, folder):
    play(page, folder, TUTORIAL[: TUTORIAL.index(page)])


@pytest.mark.parametrize("page", HOW_TO, ids=lambda x: x.stem)
def test_a_how_to_page_works(page, folder):
    play(page, folder)


def test_each_block_that_is_not_run_has_a_reason():
    for page in TUTORIAL + HOW_TO:
        text = page.read_text(encoding="utf-8")
        assert text.count("<!-- not run") == text.count("<!-- not run: "), page
