"""One site of two applications: Django's pages, and an API by FastAPI below /api."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from api import app as api
from django.core.asgi import get_asgi_application

pages = get_asgi_application()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Pass a request to the application that its path belongs to.

    The lifespan is FastAPI's; Django has none.
    """
    is_page = scope["type"] == "http" and not scope["path"].startswith("/api/")
    await (pages if is_page else api)(scope, receive, send)
