"""The application that h2spec talks to: it reads the request and sends some data."""


async def app(scope, receive, send):
    """Answer with a body that takes several windows of the smallest size."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello " * 40})
