"""The admin, and the notes."""

from django.contrib import admin
from django.urls import path
from notes import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", views.index),
    path("add", views.add),
    path("lines/<int:count>", views.lines),
]
