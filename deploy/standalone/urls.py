"""The pages."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Prices</title>
<link rel="stylesheet" href="/static/site.css">
<script defer src="/static/prices.3f2a9c1b.js"></script>
<h1>Prices</h1>
<ul id="prices"></ul>
</html>
"""


def index(request: HttpRequest) -> HttpResponse:
    """Return the page, which browsers ask for again each time."""
    return HttpResponse(PAGE, headers={"Cache-Control": "no-cache"})


urlpatterns = [path("", index)]
