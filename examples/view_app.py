"""An application of view.py, which bolide runs instead of view.py's own runner.

pip install --pre view.py "configzen<0.20" "pydantic<2" anyio "setuptools<80"
bolide --factory view_app:make
"""

from view import new_app

app = new_app()


@app.get("/")
async def index():
    """Respond with a text."""
    return "Hello, view.py!"


@app.get("/teapot")
async def teapot():
    """Respond with a status."""
    return "short and stout", 418


def make():
    """Load the routes, and return the ASGI application."""
    app.load()
    return app.asgi_app_entry
