"""Config is called as a dataclass would be, and says the same of wrong calls."""

import inspect

import pytest

from bolide import Config


def test_its_first_settings_may_be_given_by_position():
    config = Config("a:b", "127.0.0.2", 8001)
    assert (config.app, config.host, config.port) == ("a:b", "127.0.0.2", 8001)


@pytest.mark.parametrize(
    ("given", "named", "text"),
    [
        ((), {}, "Config() misses app"),
        (("a:b",), {"prot": 1}, "Config() got an unexpected keyword argument 'prot'"),
        (("a:b",), {"app": "c:d"}, "Config() got 'app' twice"),
        (("a:b",), {"_": 1}, "Config() got an unexpected keyword argument '_'"),
    ],
)
def test_a_wrong_call_raises_type_error(given, named, text):
    with pytest.raises(TypeError) as caught:
        Config(*given, **named)
    assert str(caught.value) == text


def test_what_is_a_keyword_alone_cannot_be_given_by_position():
    kinds = [x.kind for x in inspect.signature(Config).parameters.values()]
    count = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    assert 0 < count < len(kinds)
    with pytest.raises(TypeError, match=f"takes {count} positional arguments"):
        Config("a:b", *[None] * count)


def test_no_setting_is_shared_by_two():
    one, two = Config("a:b"), Config("a:b")
    one.headers.append(("a", "b"))
    one.bind.append("x")
    assert (two.headers, two.bind) == ([], [])


def test_its_limits_are_taken_and_not_kept():
    config = Config("a:b", limits={"limit_fields": 7})
    assert config.limit_fields == 7
    assert "limits" not in vars(config)


def test_a_subclass_has_its_signature_until_it_has_its_own():
    class Same(Config):
        pass

    class Own(Config):
        def __init__(self, place):
            super().__init__(app="a:b", host=place)

    assert inspect.signature(Same) == inspect.signature(Config)
    assert list(inspect.signature(Own).parameters) == ["place"]
    assert Own("127.0.0.2").host == "127.0.0.2"
