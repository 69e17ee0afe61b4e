"""What the pages load from the server: pictures, cuts, faces and meshes of each microscope."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from fastapi import Request, Response
from nicegui import app, run
from numpy.typing import NDArray

from daemon.client import Client
from daemon.errors import WireError
from daemon.monitor.microscope import Microscope
from daemon.monitor.pictures import coloured, encoded, outlined

KEPT = {"Cache-Control": "private, max-age=600"}  # what an address names never changes
NUMBERS = ("y", "x", "height", "width", "step")


def serve_resources(microscopes: Sequence[Microscope]) -> None:
    """Add the routes below ``/m/NUMBER/``."""

    @app.get("/m/{number}/picture/{tag}/{name:path}")
    def picture(number: int, tag: str, name: str) -> Response:
        png = microscopes[number].pictures.png(name) if number < len(microscopes) else None
        return _missing() if png is None else Response(png, media_type="image/png", headers=KEPT)

    @app.get("/m/{number}/face/{index}/{layer:path}")
    async def face(number: int, index: int, layer: str, request: Request) -> Response:
        asked = {name: int(value) for name, value in request.query_params.items() if name in NUMBERS}
        return await _picture(
            microscopes, number, lambda c: c.face(index, layer, **asked).pixels, _of_layer(layer)
        )

    @app.get("/m/{number}/cut/{name}/{level}/{at}")
    async def cut(number: int, name: str, level: int, at: int, of: int) -> Response:
        return await _picture(microscopes, number, lambda c: read_cut(c, name, level, at, of), coloured)

    @app.get("/m/{number}/surface/{planes}.stl")
    def surface(number: int, planes: int) -> Response:
        mesh = microscopes[number].surface if number < len(microscopes) else None
        return _missing() if mesh is None else Response(mesh.stl, media_type="model/stl", headers=KEPT)


def read_cut(client: Client, name: str, level: int, at: int, planes: int) -> NDArray[np.uint8]:
    """A cut of a pyramid level: ``xy`` (y, x), ``xz`` (z, x) or ``yz`` (z, y), of a volume of ``planes``.

    Raises
    ------
    WireError
        There is no such cut.
    """
    depth = max(1, planes >> level)
    match name:
        case "xy":
            return client.planes(min(at, depth - 1), 1, level)[0]
        case "xz":
            return client.planes(0, depth, level, y=at, height=1)[:, 0]
        case "yz":
            return client.planes(0, depth, level, x=at, width=1)[:, :, 0]
        case _:
            raise WireError(f"there is no cut {name!r}", where="the dashboard", remedy="xy, xz or yz")


async def _picture(
    microscopes: Sequence[Microscope],
    number: int,
    question: Callable[[Client], NDArray[np.uint8]],
    drawn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> Response:
    """What the daemon answers, as PNG."""
    if number >= len(microscopes):
        return _missing()
    try:
        pixels = await microscopes[number].ask(question)
    except WireError as error:
        return Response(str(error), status_code=404, media_type="text/plain")
    png = await run.io_bound(lambda: encoded(drawn(pixels)))
    return Response(png, media_type="image/png", headers=KEPT)


def _of_layer(layer: str) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return outlined if layer == "labels" else np.ascontiguousarray


def _missing() -> Response:
    return Response(status_code=404)
