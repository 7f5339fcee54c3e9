"""What ``--version`` prints about bolide and the libraries it is linked with.

Covers src/py/libraries.c.
"""

import zlib
from pathlib import Path

from command import run

import bolide
from bolide import _engine


def test_the_version_comes_only_from_the_build():
    text = (Path(bolide.__file__).parent / "__init__.py").read_text()
    assert bolide.__version__ == _engine.VERSION
    assert _engine.VERSION not in text


def test_verbose_version_names_each_library_that_is_linked():
    code, out, err = run("--version", "--verbose")
    assert (code, err) == (0, "")
    where = "built in" if _engine.BUILT_IN else "the system's"
    found = _engine.libraries()
    optional = {"br": "Brotli", "zstd": "Zstandard"}
    others = [name for coding, name in optional.items() if coding in _engine.CODINGS]
    if _engine.has_http3():
        others += ["ngtcp2", "nghttp3"]
    assert list(found) == ["OpenSSL", "nghttp2", "zlib", *others]
    assert out.splitlines()[1:] == [
        *(f"{name} {version} ({where})" for name, version in found.items()),
        f"built by {_engine.COMPILER}, {_engine.OPTIMIZATION}",
    ]
    assert found["OpenSSL"].startswith("3.")
    assert found["zlib"] == zlib.ZLIB_RUNTIME_VERSION or _engine.BUILT_IN
