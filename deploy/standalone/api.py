"""The API."""

from fastapi import FastAPI, Response

app = FastAPI()


@app.get("/api/prices")
async def prices(response: Response) -> list[dict[str, float | str]]:
    """Return a list that may be stored for ten seconds."""
    response.headers["cache-control"] = "public, max-age=10"
    return [{"name": f"item {i}", "price": i * 1.5} for i in range(500)]


@app.get("/api/me")
async def me(response: Response) -> dict[str, str]:
    """Return what belongs to one user alone."""
    response.headers["cache-control"] = "private, no-store"
    return {"name": "somebody"}
