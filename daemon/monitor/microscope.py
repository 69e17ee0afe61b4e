"""One microscope as the server knows it: its feed, its pictures, and what can be asked of its daemon.

Questions to a daemon block, so they are asked on threads; each uses a connection of its own, because a client
belongs to one thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import TypeVar
from urllib.parse import quote

from daemon.client import Client
from daemon.face_block import FaceBlock
from daemon.monitor.chart_frame import Options
from daemon.monitor.feed import Feed
from daemon.monitor.palette import Palette
from daemon.monitor.pictures import PictureStore
from daemon.monitor.surface import Mesh
from daemon.view import RunView

T = TypeVar("T")
COARSE = 64  # step with which a layer is asked for when only its geometry matters


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """A whole image of the run: ``shape`` (y, x) px and ``pixel_nm`` (y, x) on the face."""

    shape: tuple[int, int]
    pixel_nm: tuple[float, float]


@dataclass(slots=True)
class Microscope:
    """The ``number``-th microscope of this server; ``connect`` opens a connection to its daemon."""

    number: int
    feed: Feed
    connect: Callable[[], Client]
    pictures: PictureStore = field(default_factory=PictureStore)
    frame: FrameGeometry | None = None
    surface: Mesh | None = None
    _meshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _charts: dict[tuple[str, int], tuple[object, Options]] = field(
        default_factory=dict[tuple[str, int], tuple[object, Options]]
    )

    @property
    def name(self) -> str:
        """The acquisition's, or where its daemon listens while it is not known."""
        told = self.feed.view.run
        project = PureWindowsPath(told.project).name if told else ""
        return project or self.feed.control

    def address(self, rest: str) -> str:
        """The path of one of this microscope's resources."""
        return f"/m/{self.number}/{rest}"

    def catch_up(self) -> None:
        """Take in what has arrived; on the web server's thread."""
        self.feed.catch_up()
        self.pictures.show(self.feed.view.preview, self.feed.view.preview_seq)

    def chart(
        self, chart: Callable[[RunView, Palette], Options], palette: Palette, revision: object
    ) -> Options:
        """A chart's options, made once for all browsers that show this ``revision``."""
        key = (chart.__name__, id(palette))
        made = self._charts.get(key)
        if made is None or made[0] != revision:
            made = (revision, chart(self.feed.view, palette))
            self._charts[key] = made
        return made[1]

    async def ask(self, question: Callable[[Client], T]) -> T:
        """The daemon's answer.

        Raises
        ------
        WireError
            It cannot be reached, or refuses.
        """
        return await asyncio.to_thread(self._asked, question)

    async def learn_frame(self, index: int, channel: str) -> None:
        """Find out how large the images are, from an image that exists."""
        block = await self.ask(lambda client: client.face(index, f"image/{channel}", step=COARSE))
        self.frame = frame_geometry(block)

    async def mesh(self, planes: int, make: Callable[[Client], Mesh]) -> Mesh:
        """The surface of the volume with so many planes, made once for all browsers."""
        async with self._meshing:
            if self.surface is None or self.surface.planes != planes:
                self.surface = await self.ask(make)
            return self.surface

    def _asked(self, question: Callable[[Client], T]) -> T:
        with self.connect() as client:
            return question(client)


def frame_geometry(block: FaceBlock) -> FrameGeometry:
    """The geometry of the whole layer that a block is a part of."""
    return FrameGeometry(block.layer_shape, block.pixel_nm)


def preview_picture(microscope: Microscope, name: str) -> str:
    """The address of a picture of the newest preview; a new preview has new addresses."""
    view = microscope.feed.view
    epoch = view.envelope.epoch if view.envelope else 0
    return microscope.address(f"picture/{epoch}-{view.preview_seq}/{quote(name)}")
