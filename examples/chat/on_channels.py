"""The same chat on Django Channels: bolide on_channels:app."""

from pathlib import Path

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

PAGE = (Path(__file__).parent / "page.html").read_bytes()
numbers = iter(range(1, 1 << 62))


async def page(request):
    """Respond with the page."""
    return HttpResponse(PAGE)


class Chat(AsyncWebsocketConsumer):
    """A member of the chat."""

    async def connect(self):
        """Join the chat."""
        self.number = next(numbers)
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept()
        await self.say(f"* {self.number} has come")

    async def disconnect(self, code):
        """Leave the chat."""
        await self.channel_layer.group_discard("room", self.channel_name)
        await self.say(f"* {self.number} has gone")

    async def receive(self, text_data=None, bytes_data=None):
        """Pass on a message to all members."""
        await self.say(f"{self.number}: {text_data}")

    async def say(self, text):
        """Send a message to all members."""
        await self.channel_layer.group_send("room", {"type": "tell", "text": text})

    async def tell(self, event):
        """Receive a message from the group, and send it to this member."""
        await self.send(text_data=event["text"])


urlpatterns = [path("", page)]
app = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("ws", Chat.as_asgi())]),
    }
)
