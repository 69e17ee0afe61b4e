"""The picture of one face at one voltage: sample, protective layer, ruler, wall, pad, fiducials, surface.

All parts are evaluated at the coordinates of the image's pixels in the reference frame, index + shift, so an
image is displaced by exactly its shift and nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.acquisition import FaceGrid
from algorithms.electrode import ElectrodeStructure
from algorithms.instrument import Conditions, curtain_profiles, expose, wandering
from algorithms.marks import Box, PixelGrid, box_coverage, cross_coverage, edge_coverage, mark_centre_px
from algorithms.redeposition import redeposited
from daemon.emulator.beam import Shot, photograph_face
from daemon.emulator.layout import CrossLayout, Layout, RulerLayout, lay_out
from daemon.emulator.plan import Plan, Stream, pixel_y_nm, plan_run, random_stream
from daemon.emulator.sample import Sample, draw_sample, electrode_face
from daemon.emulator.settings import EmulatorSettings
from daemon.emulator.texture import Texture, draw_texture, texture_at
from daemon.emulator.tilt import margin_px, scanned

Signal = NDArray[np.float32]
CURTAIN_MARGIN_PX = 64
"""Curtains hang on the face: their profiles reach so far beyond the image, and farther drift meets none."""
WANDER_SLICES = 30.0
"""Brightness and contrast forget their value within so many slices."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """All that a run shows: its plan, its layout, the true structure, textures, curtains and brightness.

    ``curtains`` is float32 (slice, width + 2·margin); ``wander`` (slice, channel, 2): brightness, contrast.
    """

    settings: EmulatorSettings
    plan: Plan
    layout: Layout
    structure: Sample
    grain: Texture
    curtains: NDArray[np.float32]
    wander: NDArray[np.float64]


def build_scene(settings: EmulatorSettings) -> Scene:
    """Draw everything that a run shows from its seed."""
    plan = plan_run(settings)
    layout = lay_out(settings, plan)
    structure = draw_sample(settings.sample, random_stream(settings, Stream.STRUCTURE))
    grain = draw_texture(random_stream(settings, Stream.TEXTURE), settings.pixel_size_nm)
    rng = random_stream(settings, Stream.CONDITIONS)
    curtains = curtain_profiles(plan.depths_nm, settings.width + 2 * CURTAIN_MARGIN_PX, rng)
    shape = (len(settings.voltages_kv), 2)
    wander = [wandering(settings.slices, WANDER_SLICES, rng) for _ in range(shape[0] * shape[1])]
    return Scene(
        settings, plan, layout, structure, grain, curtains, np.stack(wander, axis=-1).reshape(-1, *shape)
    )


def photograph(scene: Scene, index: int, channel: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The recorded image (height, width) of slice ``index`` (from 0) in a channel of ``voltages_kv``."""
    settings = scene.settings
    rng = random_stream(settings, Stream.EXPOSURE, index, channel)
    signal = clean_signal(scene, index, channel, margin_px(settings, index))
    signal = scanned(signal, settings, index)
    return expose(signal, settings.instruments[channel], rng, _conditions(scene, index, channel))


def clean_signal(scene: Scene, index: int, channel: int, margin_rows: int = 0) -> Signal:
    """The same before the instrument: float32, backscattered electrons per electron.

    Shape (height + 2·margin_rows, width): ``margin_rows`` more are seen above and below the image.
    """
    settings, layout = scene.settings, scene.layout
    grid = _grid(settings, scene.plan.shifts_px[index, channel], margin_rows)
    depth_nm = float(scene.plan.depths_nm[index])
    signal = _sample(scene, grid, depth_nm, index, channel)
    grain = texture_at(scene.grain, depth_nm, *_nm(settings, grid)) * settings.signals.grain
    for level, coverage in _face_parts(settings, layout, grid, depth_nm):
        _paint(signal, np.float32(level) * (1.0 + grain), coverage)
    surface_grid = _grid(settings, scene.plan.surface_shifts_px[index, channel], margin_rows)
    above = 1.0 - edge_coverage(_rows(grid) - layout.edge_y_px)[:, None] * np.ones((1, grid.width))
    _paint(signal, _surface(scene, surface_grid), above)
    return signal


def _sample(scene: Scene, grid: PixelGrid, depth_nm: float, index: int, channel: int) -> Signal:
    """The porous sample where it is visible, below the layer and left of the wall; 0 elsewhere."""
    settings, layout = scene.settings, scene.layout
    top = max(int(layout.layer_bottom_px - grid.origin_y_px) - 1, 0)
    right = min(int(layout.wall_x_px - grid.origin_x_px) + 3, grid.width)
    face = FaceGrid(
        grid.height - top,
        right,
        settings.pixel_size_nm,
        pixel_y_nm(settings),
        grid.origin_y_px + top,
        grid.origin_x_px,
    )
    signal = np.zeros((grid.height, grid.width), dtype=np.float32)
    signal[top:, :right] = _under_film(scene, index, _face(scene, face, depth_nm, index, channel))
    return signal


def _face(scene: Scene, grid: FaceGrid, depth_nm: float, index: int, channel: int) -> Signal:
    """The clean signal of the sample in the face."""
    settings, structure = scene.settings, scene.structure
    if isinstance(structure, ElectrodeStructure):
        return electrode_face(structure, depth_nm, grid, settings.detectors[channel])
    key, electrons = (settings.seed, index, channel), settings.recording.simulated_electrons
    shot = Shot(structure, depth_nm, grid, settings.voltages_kv[channel], key, electrons)
    return photograph_face(settings.picture, shot)


def _under_film(scene: Scene, index: int, face: Signal) -> Signal:
    """The face below what the mill has thrown back onto it; the film changes slowly with depth."""
    strength = scene.settings.sample.redeposition
    if strength == 0:
        return face
    rng = random_stream(scene.settings, Stream.REDEPOSITION)
    profiles = curtain_profiles(scene.plan.depths_nm, face.shape[1], rng, width_px=40.0, persistence_nm=300.0)
    return redeposited(face, profiles[index], strength)


def _face_parts(
    settings: EmulatorSettings, layout: Layout, grid: PixelGrid, depth_nm: float
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """What lies on the sample, from back to front: (signal, coverage)."""
    signals = settings.signals
    dark_ruler = settings.ruler is not None and settings.ruler.polarity == "dark"
    layer, mark = (signals.deposit, signals.trench) if dark_ruler else (signals.carbon, signals.deposit)
    far = 10.0 * (settings.width + settings.height)
    layer_box = Box(layout.edge_y_px - far, layout.layer_bottom_px, -far, layout.wall_x_px)
    wall_box = Box(-far, far, layout.wall_x_px, far)
    yield layer, box_coverage(grid, layer_box)
    if layout.ruler is not None:
        yield mark, ruler_coverage(grid, layout.ruler, depth_nm, settings.pixel_size_nm)
    yield signals.wall, box_coverage(grid, wall_box)
    if layout.face_cross is not None:
        yield signals.platinum, box_coverage(grid, layout.pad)
        yield signals.trench, _cross(grid, layout.face_cross)


def ruler_coverage(
    grid: PixelGrid, ruler: RulerLayout, depth_nm: float, pixel_size_nm: float
) -> NDArray[np.float64]:
    """The ruler's marks in the face at a depth: (height, width) in [0, 1]; where marks meet they are one."""
    half = ruler.mark_width_nm / pixel_size_nm / 2
    bare = np.ones((grid.height, grid.width))
    for mark in ruler.marks:
        if not mark.is_there(depth_nm):
            continue
        x = mark_centre_px(
            mark.x_px,
            depth_nm - mark.begins_nm,
            direction=mark.direction,
            angle_deg=ruler.angle_deg,
            pixel_size_nm=pixel_size_nm,
        )
        bare *= 1.0 - box_coverage(grid, Box(ruler.y0_px, ruler.y1_px, x - half, x + half))
    return 1.0 - bare


def _surface(scene: Scene, grid: PixelGrid) -> Signal:
    """The unmilled surface with its fiducial, as if it filled the image."""
    settings, layout = scene.settings, scene.layout
    grain = texture_at(scene.grain, -1e4, *_nm(settings, grid)) * settings.signals.grain
    signal = (settings.signals.surface * (1.0 + grain)).astype(np.float32)
    if layout.surface_cross is not None:
        _paint(signal, np.float32(settings.signals.trench), _cross(grid, layout.surface_cross))
    return signal


def _cross(grid: PixelGrid, cross: CrossLayout) -> NDArray[np.float64]:
    return cross_coverage(grid, cross.centre_px, cross.arm_px, cross.width_px)


def _paint(signal: Signal, paint: NDArray[np.floating] | np.float32, coverage: NDArray[np.float64]) -> None:
    """Cover the signal with paint, in place: each pixel by the share that is covered."""
    signal += (coverage * (paint - signal)).astype(np.float32)


def _conditions(scene: Scene, index: int, channel: int) -> Conditions:
    """Curtains where the face carries them, brightness and contrast as they wandered."""
    _, dx = scene.plan.shifts_px[index, channel]
    width = scene.settings.width
    profile = scene.curtains[index]
    columns = np.arange(len(profile)) - CURTAIN_MARGIN_PX
    seen = np.interp(np.arange(width) + dx, columns, profile).astype(np.float32)
    brightness, contrast = scene.wander[index, channel]
    return Conditions(seen, float(brightness), float(contrast))


def _grid(settings: EmulatorSettings, shift_px: NDArray[np.float64], margin_rows: int) -> PixelGrid:
    height, first_row = settings.height + 2 * margin_rows, float(shift_px[0]) - margin_rows
    return PixelGrid(height, settings.width, first_row, float(shift_px[1]))


def _rows(grid: PixelGrid) -> NDArray[np.float64]:
    return grid.origin_y_px + np.arange(grid.height, dtype=np.float64)


def _nm(settings: EmulatorSettings, grid: PixelGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Face coordinates of the pixels: y (height,) and x (width,) in nm."""
    x_px = grid.origin_x_px + np.arange(grid.width, dtype=np.float64)
    return _rows(grid) * pixel_y_nm(settings), x_px * settings.pixel_size_nm
