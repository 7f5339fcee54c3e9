"""A note."""

from django.db import models


class Note(models.Model):
    """One line of text."""

    text = models.CharField(max_length=200)
    written = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        """Return the text."""
        return self.text
