"""One microscope as the server knows it: its feed, its pictures, and what can be asked of its daemon.

Questions to a daemon block, so they are asked on threads; each uses a connection of its own, because a client
belongs to one thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import TypeVar
from urllib.parse import quote

import msgspec
from nicegui import Event

from daemon.client import Client
from daemon.face_block import FaceBlock
from daemon.monitor.charts import CHARTS
from daemon.monitor.feed import Feed
from daemon.monitor.news import News
from daemon.monitor.palette import Palette
from daemon.monitor.pictures import PictureStore
from daemon.monitor.surface import Mesh

T = TypeVar("T")
_askers = ThreadPoolExecutor(4, "asker")
_commanders = ThreadPoolExecutor(4, "commander")  # of their own: no picture stands before a command
NUMBERS_FIRST_S = 0.2  # a page has drawn its numbers by then, on a laptop too
COARSE = 64  # step with which a layer is asked for when only its geometry matters


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """A whole image of the run: ``shape`` (y, x) px and ``pixel_nm`` (y, x) on the face."""

    shape: tuple[int, int]
    pixel_nm: tuple[float, float]


@dataclass(slots=True)
class Microscope:
    """The ``number``-th microscope of this server; ``connect`` opens a connection to its daemon.

    ``changed`` is emitted on the web server's loop when something was told, for the numbers that are read
    from across the room; ``drawn_next`` a moment later, for all that takes a page longer to draw.
    """

    number: int
    feed: Feed
    connect: Callable[[], Client]
    changed: Event[[]] = field(default_factory=Event[[]])
    drawn_next: Event[[]] = field(default_factory=Event[[]])
    pictures: PictureStore = field(default_factory=PictureStore)
    frame: FrameGeometry | None = None
    surface: Mesh | None = None
    _meshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _charts: dict[tuple[str, str], tuple[str, bytes]] = field(
        default_factory=dict[tuple[str, str], tuple[str, bytes]]
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

    def start(self) -> None:
        """Follow the daemon from now on; on the web server's loop."""
        self.feed.start(News(self._catch_up, asyncio.get_running_loop()).arrived)

    def close(self) -> None:
        """Follow it no longer."""
        self.feed.close()

    def _catch_up(self) -> None:
        """Take in what has arrived, and tell the pages."""
        self.feed.catch_up()
        self.pictures.show(self.feed.view.preview, self.feed.view.preview_seq)
        self.changed.emit()
        asyncio.get_running_loop().call_later(NUMBERS_FIRST_S, self.drawn_next.emit)

    def chart_address(self, name: str, palette: Palette) -> str:
        """Where the chart ``name`` lies as it is now; what changes it changes the address."""
        revisions = self.feed.view.revisions
        state = "-".join(str(revisions[topic]) for topic in CHARTS[name].topics)
        return self.address(f"chart/{name}/{palette.name}/{state}")

    def chart(self, name: str, palette: Palette) -> bytes:
        """A chart as JSON, encoded once for all browsers; on the web server's thread."""
        key, address = (name, palette.name), self.chart_address(name, palette)
        if self._charts.get(key, ("", b""))[0] != address:
            options = CHARTS[name].draw(self.feed.view, palette)
            self._charts[key] = (address, msgspec.json.encode(options))
        return self._charts[key][1]

    async def ask(self, question: Callable[[Client], T]) -> T:
        """The daemon's answer.

        Raises
        ------
        WireError
            It cannot be reached, or refuses.
        """
        return await asyncio.get_running_loop().run_in_executor(_askers, self._asked, question)

    async def command(self, order: Callable[[Client], None]) -> None:
        """Give the daemon an order; pictures that are asked for meanwhile do not hold it up.

        Raises
        ------
        WireError
            It cannot be reached, or refuses.
        """
        await asyncio.get_running_loop().run_in_executor(_commanders, self._asked, order)

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


def preview_picture(microscope: Microscope, name: str, step: int = 1) -> str:
    """The address of a picture of the newest preview, in steps of px; a new preview has new addresses."""
    view = microscope.feed.view
    epoch = view.envelope.epoch if view.envelope else 0
    reduced = f"?step={step}" if step > 1 else ""
    return microscope.address(f"picture/{epoch}-{view.preview_seq}/{quote(name)}{reduced}")
