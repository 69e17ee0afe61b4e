"""The solid in three dimensions, growing while it is watched."""

from __future__ import annotations

import math

from nicegui import ui

from daemon.errors import SlicewatchError
from daemon.monitor.chart_panel import heading
from daemon.monitor.microscope import Microscope
from daemon.monitor.palette import DARK, PHASES, Palette
from daemon.monitor.surface import Mesh, read_mesh
from daemon.monitor.units import length

SIDE = 10.0  # of the volume's longest edge in the scene's units
EVERY_S = 5.0
EDGE = "#56b4e9"


class SurfacePanel:
    """Turned with the mouse; made anew when the volume has grown."""

    topics: tuple[str, ...] = ()

    def __init__(self, microscope: Microscope) -> None:
        self._microscope = microscope
        self._drawn = 0
        self._busy = False
        self._ground = DARK.panel
        with ui.element("section").classes("panel surface").props('aria-label="Surface"'):
            with ui.row().classes("title"):
                heading("Surface")
                self._readout = ui.label("waiting for planes").classes("readout")
            self._scene = ui.scene(grid=False, background_color=self._ground).classes("scene")
        self._scene.on("init", self._paint)
        ui.timer(EVERY_S, self._refresh, immediate=True)

    def show(self, microscope: Microscope, palette: Palette) -> None:
        """Only the ground on which it is drawn: the surface has a rhythm of its own."""
        if palette.panel != self._ground:
            self._ground = palette.panel
            self._paint()

    def _paint(self) -> None:
        """The scene takes the colour of its ground once, when it is made; its renderer takes another."""
        ground = f"setClearColor('{self._ground}')"
        ui.run_javascript(f"getElement({self._scene.id})?.renderer?.{ground}")

    async def _refresh(self) -> None:
        planes = self._microscope.feed.view.planes
        is_old = planes is not None and planes.shape[0] != self._drawn
        if planes is None or not is_old or self._busy or (self._drawn and self._microscope.feed.away):
            return
        self._busy = True
        try:
            mesh = await self._microscope.mesh(
                planes.shape[0], lambda client: read_mesh(client, planes.shape, planes.grid_nm)
            )
        except SlicewatchError as error:
            if not self._drawn:  # else the surface of a moment ago stays, and its extent with it
                self._readout.text = str(error)
            return
        finally:
            self._busy = False
        self._draw(mesh)

    def _draw(self, mesh: Mesh) -> None:
        """The sample's face is turned to the viewer: x to the right, z into the scene, y down."""
        depth, height, width = mesh.extent_nm
        scale = SIDE / max(mesh.extent_nm)
        size = (width * scale, depth * scale, height * scale)
        self._scene.clear()
        with self._scene:
            self._scene.box(*size, wireframe=True).material(EDGE, opacity=0.35)
            if mesh.triangles:
                solid = self._scene.stl(self._microscope.address(f"surface/{mesh.planes}.stl"))
                solid.scale(scale).rotate(-math.pi / 2, 0.0, 0.0)
                solid.move(-size[0] / 2, -size[1] / 2, size[2] / 2)
                solid.material("#{:02x}{:02x}{:02x}".format(*PHASES[1]))
        if not self._drawn:
            self._scene.move_camera(0.42 * SIDE, -0.85 * SIDE, 0.55 * SIDE, 0.0, 0.0, 0.0, duration=0.0)
        self._drawn = mesh.planes
        extent = " × ".join(length(one) for one in (width, height, depth))
        self._readout.text = f"{extent}  ·  outline of {length(mesh.block_nm)} blocks"
