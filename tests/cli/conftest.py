"""Fixtures for all tests of this folder."""

import logging

import pytest

from bolide.logs.loggers import ACCESS_LOGGERS, ERROR_LOGGERS, find_route


@pytest.fixture(autouse=True)
def _no_logger_is_left_set_up():
    """Fail a test that leaves loggers of bolide or uvicorn configured.

    Commands that later tests run in this process would log to them.
    """
    yield
    left = [find_route(ERROR_LOGGERS), find_route(ACCESS_LOGGERS)]
    names = {route.logger.name for route in left if route is not None}
    for name in names | {"uvicorn", "bolide"} if names else ():
        _reset(logging.getLogger(name))
    assert not names, f"the test leaves loggers configured: {', '.join(sorted(names))}"


def _reset(logger):
    logger.handlers.clear()
    logger.filters.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate, logger.disabled = True, False
