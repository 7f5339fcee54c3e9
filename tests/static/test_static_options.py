"""The settings of static files, and what they reject."""

import pytest

import bolide
from bolide.errors import ConfigError


def config(**settings):
    """Return the checked settings."""
    return bolide.Config("app:app", **settings).static_files


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"static": "public"}, "static"),
        ({"static": "/static="}, "static"),
        ({"static": "static=."}, "static"),
        ({"static": "/static=./none"}, "static"),
        ({"static": "/a/../b=."}, "static"),
        ({"static": "/a//b=."}, "static"),
        ({"static": "/%41=."}, "static"),
        ({"static": "/a\\b=."}, "static"),
        ({"static": ["/a=.", "/a/=."]}, "static"),
        ({"static_index": "a/b"}, "static_index"),
        ({"static_index": ".."}, "static_index"),
        ({"static_fallback": "../a"}, "static_fallback"),
        ({"static_fallback": "/a//b"}, "static_fallback"),
        ({"static_missing": "403"}, "static_missing"),
        ({"static_types": "/none"}, "static_types"),
        ({"static_cache_control": [("*", "a\nb")]}, "static_cache_control"),
        ({"static_cache_control": [("", "a")]}, "static_cache_control"),
        ({"static_cache_control": "x"}, "static_cache_control"),
        ({"limit_static_files": 0}, "limit_static_files"),
    ],
)
def test_bad_settings_are_refused(settings, name):
    with pytest.raises(ConfigError) as failure:
        config(**settings)
    assert failure.value.name == name


def test_prefixes_are_sorted_and_plain(tmp_path):
    found = config(static=[f"/={tmp_path}", f"/a/b/={tmp_path}", f"/a={tmp_path}"])
    assert [x for x, _ in found.mounts] == [b"/a/b", b"/a", b""]


def test_a_relative_directory_is_below_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "public").mkdir()
    found = config(static="/static=public")
    assert found.mounts == ((b"/static", bytes(tmp_path / "public")),)


def test_nothing_is_read_without_a_directory():
    found = config()
    assert found.for_engine()["static_types"] == b""
    assert found.for_engine()["static"] == ()
