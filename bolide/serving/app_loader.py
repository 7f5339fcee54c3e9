"""Loads an application from ``"package.module:attribute"``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from bolide.errors import AppError


def check_target(target: str) -> None:
    """Raise AppError with a one-line reason, unless it is ``"module:attribute"``.

    Nothing is imported; ``attribute`` may be dotted.
    """
    module, colon, path = target.partition(":")
    if "/" in module or (not colon and module.endswith(".py")):
        name = module.removesuffix(".py").strip("./").replace("/", ".")
        raise AppError(
            f'"{target}" is a file; give its module: "{name}:{path or "app"}"'
        )
    if path.endswith(")"):
        bare = f"{module}:{path.partition('(')[0]}"
        raise AppError(f'"{target}" is a call; give "{bare}" and --factory')
    parts = [*module.split("."), *path.split(".")]
    if not colon or not all(parts):
        raise AppError(f'"{target}" is not of the form "module:attribute"')


def look_first_in(folder: str | None) -> None:
    """Search for modules in ``folder`` first; None: change nothing."""
    if folder is not None and sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


def load_app(
    target: Any,
    *,
    factory: bool,
    app_dir: str | None,
    interface: str = "auto",
    warn: Callable[[str], object] = lambda text: None,
) -> Any:
    """Return the ASGI 3.0 application that ``target`` names, or is.

    With ``factory`` the named object is called without arguments and returns it.
    ``app_dir`` is prepended to ``sys.path``. An ASGI 2.0 application (a callable with
    the scope as its only argument) is wrapped, and so is a WSGI application;
    ``interface`` says which it is, unless it is "auto", which never means WSGI. A
    callable without arguments is called as a factory, and ``warn`` is called with a
    text about it. Raises AppError.
    """
    look_first_in(app_dir)
    app, name = target, repr(target)
    if isinstance(target, str):
        app, name = import_target(target), f'"{target}"'
    if factory:
        app = _call_factory(name, app)
        name = f"what the factory {name} returns"
    if not callable(app):
        raise AppError(f"{name} is not an application: {_type(app)} cannot be called")
    if interface == "wsgi":
        return _wrap_wsgi(app)
    if interface != "auto":
        return _wrap_double_callable(app) if interface == "asgi2" else app
    if _takes(app, 0) and not factory:
        warn(f"{name} is used as an application factory: add --factory")
        app = _call_factory(name, app)
        name = f"what the factory {name} returns"
        if not callable(app):
            raise AppError(
                f"{name} is not an application: {_type(app)} cannot be called"
            )
    if _is_wsgi(app):
        raise AppError(f"{name} looks like WSGI: serve it with --interface wsgi")
    return _wrap_double_callable(app) if _is_double_callable(app) else app


def import_target(target: str) -> Any:
    """Return the object named by ``"module:attribute"``; raise AppError."""
    check_target(target)
    module_name, _, path = target.partition(":")
    found = _import_module(module_name)
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            owner = getattr(found, "__name__", type(found).__name__)
            kind = "module " if found is sys.modules.get(owner) else ""
            hint = _did_you_mean(name, [x for x in dir(found) if x[0] != "_"])
            raise AppError(f'{kind}"{owner}" has no attribute "{name}"{hint}') from None
    return found


def _did_you_mean(name: str, names: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, 1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _import_module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(missing + "."):
            raise AppError(_not_found(name, missing)) from None
        raise AppError(
            f'module "{name}" imports "{missing}", which is not installed'
            f"{_place(_trim(error))}"
        ) from None
    except Exception as error:
        _trim(error)
        raise AppError(
            f'module "{name}" raises an exception when it is imported: {_line(error)}'
        ) from error


def _not_found(name: str, missing: str) -> str:
    if name.endswith(".py"):
        module = name.removesuffix(".py")
        return f'there is no module "{name}"; the module of {name} is "{module}"'
    where = sys.path[0] or os.getcwd()
    return f'there is no module "{missing}" in {where}, nor is one installed'


def _trim(error: BaseException) -> TracebackType | None:
    """Remove our own and the import system's frames from the front; return the rest."""
    trace = error.__traceback__
    own = (os.path.dirname(os.path.dirname(__file__)), "<frozen importlib")
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(own) and f"importlib{os.sep}__init__" not in file:
            break
        trace = trace.tb_next
    error.__traceback__ = trace
    return trace


def _place(trace: TracebackType | None) -> str:
    """Return the location of the first frame, as " (file, line n)"."""
    if trace is None:
        return ""
    return f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


def _line(error: BaseException) -> str:
    """Return the first line of an exception, with its type."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _type(thing: Any) -> str:
    return f"an object of type {type(thing).__name__}"


def _call_factory(name: str, factory: Any) -> Any:
    if not callable(factory):
        raise AppError(f"{name} is not a factory: {_type(factory)} cannot be called")
    try:
        return factory()
    except Exception as error:
        _trim(error)
        raise AppError(
            f"the factory {name} raises an exception: {_line(error)}"
        ) from error


_IS_COROUTINE = 0x80
_IS_VARARGS = 0x04


def _takes(app: Any, count: int) -> bool:
    """Return whether ``app`` accepts ``count`` arguments, and not three.

    False if that is unknown, and for coroutine functions.
    """
    function, bound = app, 0
    if isinstance(app, type):
        function, bound = getattr(app, "__init__", None), 1
    elif hasattr(app, "__func__"):
        function, bound = app.__func__, 1
    elif not hasattr(app, "__code__"):
        function, bound = type(app).__call__, 1
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & (_IS_COROUTINE | _IS_VARARGS):
        return False
    needed = code.co_argcount - len(function.__defaults__ or ())
    return bool(needed == bound + count and code.co_argcount < bound + 3)


def _is_wsgi(app: Any) -> bool:
    """Return whether ``app`` has the two parameters that PEP 3333 names."""
    if not _takes(app, 2):
        return False
    function = app if hasattr(app, "__code__") else getattr(app, "__func__", None)
    code = getattr(function or type(app).__call__, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return names[-2:] == ("environ", "start_response")


def _is_double_callable(app: Any) -> bool:
    """Return whether ``app`` is ASGI 2.0: ``app(scope)`` returns the coroutine.

    Its own marks decide, with asgiref's names, else its number of parameters.
    """
    if getattr(app, "_asgi_single_callable", False):
        return False
    return getattr(app, "_asgi_double_callable", False) is True or _takes(app, 1)


def _wrap_wsgi(app: Any) -> Any:
    """Return an ASGI application that runs a WSGI one (PEP 3333) in threads."""
    try:
        from a2wsgi import WSGIMiddleware
    except ImportError:
        text = "a WSGI application needs a2wsgi: pip install a2wsgi"
        raise AppError(text) from None
    return WSGIMiddleware(app)


def _wrap_double_callable(app: Any) -> Callable[[Any, Any, Any], Any]:
    async def single(scope: Any, receive: Any, send: Any) -> Any:
        return await app(scope)(receive, send)

    return single
