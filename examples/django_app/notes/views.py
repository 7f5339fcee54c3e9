"""Asynchronous views for the notes."""

from django.http import HttpResponseNotAllowed, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from .models import Note


async def index(request):
    """List the notes."""
    return JsonResponse({"notes": [n.text async for n in Note.objects.order_by("id")]})


@csrf_exempt
async def add(request):
    """Add a note from the form field ``text``."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    note = await Note.objects.acreate(text=request.POST["text"])
    return JsonResponse({"id": note.id}, status=201)


async def lines(request, count):
    """Stream ``n`` lines."""

    async def each():
        for number in range(count):
            yield f"{number}\n"

    return StreamingHttpResponse(each(), content_type="text/plain")
