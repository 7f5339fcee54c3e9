"""``bolide asgi:app`` in this folder, after ``python manage.py migrate``."""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
app = ASGIStaticFilesHandler(get_asgi_application())
