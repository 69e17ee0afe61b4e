"""What the pages load from the server: charts, pictures, cuts, faces and meshes of each microscope.

Pictures are encoded beside the web server's thread, by one other thread, so that five browsers which ask for
the same one at once get it from one encoding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

import numpy as np
from fastapi import Path as PathParameter
from fastapi import Query, Response
from nicegui import app
from numpy.typing import NDArray

from daemon.client import Client
from daemon.errors import WireError
from daemon.monitor.charts import CHARTS
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import PALETTES
from daemon.monitor.pictures import coloured, doubtful, outlined
from daemon.monitor.png import grey_png

T = TypeVar("T")
FRESH = {"Cache-Control": "no-store"}  # what lies there is always the newest
KEPT = {"Cache-Control": "private, max-age=600"}  # what an address names never changes
LARGEST = 2**40  # as in daemon.requests: what is beyond is no request, and the daemon would not answer it
Number = Annotated[int, PathParameter(ge=0, le=LARGEST)]
Extent = Annotated[int, Query(ge=0, le=LARGEST)]
Step = Annotated[int, Query(ge=1, le=256)]
_encoder = ThreadPoolExecutor(1, "encoder")


def serve_resources(microscopes: Sequence[Microscope]) -> None:
    """Add the routes below ``/m/NUMBER/``."""

    @app.get("/m/{number}/chart/{name}/{theme}/{state}")
    async def chart(number: Number, name: str, theme: str, state: str) -> Response:
        if number >= len(microscopes) or name not in CHARTS or theme not in PALETTES:
            return _missing()
        told = microscopes[number].chart(name, PALETTES[theme])
        return Response(told, media_type="application/json", headers=FRESH)

    @app.get("/m/{number}/picture/{tag}/{name:path}")
    async def picture(number: Number, tag: str, name: str, step: Step = 1) -> Response:
        if number >= len(microscopes):
            return _missing()
        png = await _encoding(lambda: microscopes[number].pictures.png(name, step))
        return _missing() if png is None else Response(png, media_type="image/png", headers=KEPT)

    @app.get("/m/{number}/face/{index}/{layer:path}")
    async def face(
        number: Number,
        index: Number,
        layer: Annotated[str, PathParameter(max_length=80)],
        y: Extent = 0,
        x: Extent = 0,
        height: Extent = 0,
        width: Extent = 0,
        step: Step = 1,
    ) -> Response:
        def ask(client: Client) -> NDArray[np.uint8]:
            return client.face(index, layer, y=y, x=x, height=height, width=width, step=step).pixels

        return await _picture(microscopes, number, ask, _of_layer(layer))

    @app.get("/m/{number}/cut/{name}/{level}/{at}")
    async def cut(
        number: Number, name: str, level: Number, at: Number, of: Annotated[int, Query(ge=0, le=2**20)]
    ) -> Response:
        return await _picture(microscopes, number, lambda c: read_cut(c, name, level, at, of), coloured)

    @app.get("/m/{number}/surface/{planes}.stl")
    def surface(number: Number, planes: int) -> Response:
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
    drawn: Callable[[NDArray[np.uint8]], bytes],
) -> Response:
    """What the daemon answers, as PNG."""
    if number >= len(microscopes):
        return _missing()
    try:
        pixels = await microscopes[number].ask(question)
    except WireError as error:
        return Response(str(error), status_code=404, media_type="text/plain")
    png = await _encoding(lambda: drawn(pixels))
    return Response(png, media_type="image/png", headers=KEPT)


async def _encoding(make: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_encoder, make)


def _of_layer(layer: str) -> Callable[[NDArray[np.uint8]], bytes]:
    return {"labels": outlined, "solid": doubtful}.get(layer, grey_png)


def _missing() -> Response:
    return Response(status_code=404)
