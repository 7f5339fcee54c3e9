"""The application for h2spec: it reads the request and sends some data."""


async def app(scope, receive, send):
    """Respond with a body that needs several windows of the smallest size."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello " * 40})
