"""What somebody wants to see of the slices, and the pictures that show it, as pure functions.

The newest slice comes as a preview, which is at hand; every earlier one, and every whole image, is read again
by the daemon when it is looked at, as long as there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from daemon.items import FoundFiducial, FoundMark, Status
from daemon.messages import PreviewMessage
from daemon.monitor.microscope import FrameGeometry, Microscope, preview_picture
from daemon.monitor.panes import Box, Layer, Mark, Pane, Sharp
from daemon.monitor.units import length
from daemon.view import RunView

ALL, BLINK = "side by side", "blink"
NOTHING, SEGMENTATION, UNCERTAINTY = "images", "segmentation", "uncertainty"
LAYERS = {SEGMENTATION: "labels", UNCERTAINTY: "solid"}  # of a final face, by the overlay that shows it
LONGEST_PX = 1024
NOBODY = "read again only while slicewatch runs"


@dataclass(frozen=True, slots=True)
class Look:
    """``index`` None follows the newest slice; ``whole``: the whole image, not the region of interest.

    ``longest_px`` is how large a picture beside others need be: five browsers share a laptop with the daemon.
    """

    index: int | None = None
    whole: bool = False
    layout: str = ALL
    overlay: str = SEGMENTATION
    marks: bool = True
    longest_px: int = LONGEST_PX


def shown_index(view: RunView, look: Look) -> int | None:
    """The slice to be shown."""
    return look.index if look.index is not None else (view.preview.index if view.preview else None)


def slice_indices(view: RunView) -> list[int]:
    """The slices that can be shown, in order."""
    return [i for i in sorted(view.slices) if view.slices[i].status is not Status.GAP]


def has_images(view: RunView, index: int) -> bool:
    """Whether anything can be seen of a slice: not of a gap, nor of a number that is none."""
    told = view.slices.get(index)
    if told is None:
        return view.preview is not None and view.preview.index == index
    return told.status is not Status.GAP


def channel_names(view: RunView) -> list[str]:
    """The channels of which there are images, in the order of the configuration."""
    return [channel.name for channel in view.run.channels] if view.run else []


def slice_panes(microscope: Microscope, look: Look) -> list[Pane]:
    """A pane for each image to be shown; none while what is needed is not known yet."""
    view = microscope.feed.view
    names = channel_names(view)
    if look.layout in names:
        names = [look.layout]
    preview, index = view.preview, shown_index(view, look)
    if preview is None or index is None or not preview.arrays or not has_images(view, index):
        return []
    is_away, frame = microscope.feed.away, microscope.frame
    if index == preview.index and (not look.whole or frame is None or is_away):
        return [_newest(microscope, preview, name, look) for name in names]
    if frame is None:
        return []
    if is_away:
        return [Pane(name, NOBODY, _scaled(region_px(view, frame), frame), ()) for name in names]
    return [_again(microscope, frame, index, name, look) for name in names]


def region_px(view: RunView, frame: FrameGeometry) -> tuple[int, int, int, int]:
    """The region of interest (x, y, width, height), 0 resolved to the edge."""
    x, y, width, height = view.run.roi if view.run else (0, 0, 0, 0)
    return x, y, width or frame.shape[1] - x, height or frame.shape[0] - y


def _newest(microscope: Microscope, preview: PreviewMessage, name: str, look: Look) -> Pane:
    """From the preview: at once, whether or not the daemon answers."""
    view = microscope.feed.view
    step = _preview_step(view, preview, look)
    box, pixel_nm = _preview_box(view, preview, step)
    layers = [Layer("image", preview_picture(microscope, f"image/{name}", step), box)]
    layers += _preview_overlay(microscope, preview, look)
    sharp = _sharp(microscope, preview.index, name, look, pixel_nm, step * preview.image_pixel_nm[1])
    return Pane(name, _placement(view, preview.index, name), box, tuple(layers), (), sharp)


def _preview_step(view: RunView, preview: PreviewMessage, look: Look) -> int:
    """Side by side a picture is as small as it is asked for; alone it has the panel to itself."""
    is_alone = look.layout != ALL or len(channel_names(view)) < 2
    return 1 if is_alone else max(1, -(-max(_preview_shape(preview)) // look.longest_px))


def _preview_shape(preview: PreviewMessage) -> tuple[int, int]:
    height, width = next(a for name, a in preview.arrays.items() if name.startswith("image/")).shape
    return height, width


def _preview_box(view: RunView, preview: PreviewMessage, reduced: int) -> tuple[Box, tuple[float, float]]:
    """Where the preview's pictures lie in steps of ``reduced``, and an unreduced pixel's size (y, x), nm."""
    run = view.run
    height, width = (px // reduced * reduced for px in _preview_shape(preview))
    py, px = preview.image_pixel_nm
    step = max(1, round(px / run.pixel_size_nm)) if run and run.pixel_size_nm > 0 else 1
    x, y = (run.roi[0], run.roi[1]) if run else (0, 0)
    return (x * px / step, y * py / step, width * px, height * py), (py / step, px / step)


def _preview_overlay(microscope: Microscope, preview: PreviewMessage, look: Look) -> list[Layer]:
    picture = {SEGMENTATION: "overlay", UNCERTAINTY: "uncertainty"}.get(look.overlay)
    if picture is None or LAYERS[look.overlay] not in preview.arrays:
        return []
    step = _preview_step(microscope.feed.view, preview, look)
    box, _ = _preview_box(microscope.feed.view, preview, step)
    return [Layer("overlay", preview_picture(microscope, picture, step), box)]


def _again(microscope: Microscope, frame: FrameGeometry, index: int, name: str, look: Look) -> Pane:
    """Read again by the daemon, at the size of a screen."""
    view = microscope.feed.view
    region = region_px(view, frame)
    x, y, width, height = (0, 0, frame.shape[1], frame.shape[0]) if look.whole else region
    step = max(1, -(-max(width, height) // LONGEST_PX))
    box = _scaled((x, y, width // step * step, height // step * step), frame)
    block = f"?y={y}&x={x}&height={height}&width={width}&step={step}"
    layers = [Layer("image", _face(microscope, index, f"image/{name}") + block, box)]
    layers += _overlay(microscope, frame, index, look, step)
    marks = tuple(_marks(view, index, name, frame)) if look.marks else ()
    sharp = _sharp(microscope, index, name, look, frame.pixel_nm, step * frame.pixel_nm[1])
    return Pane(name, _caption(view, index, name, look), box, tuple(layers), marks, sharp)


def _overlay(microscope: Microscope, frame: FrameGeometry, index: int, look: Look, step: int) -> list[Layer]:
    """Of the newest as its preview brought it; of a final face as it was kept; of those between none yet."""
    view = microscope.feed.view
    if look.overlay not in LAYERS:
        return []
    if view.preview is not None and view.preview.index == index:
        return _preview_overlay(microscope, view.preview, look)
    if _is_final(view, index):
        x, y, width, height = region_px(view, frame)
        box = _scaled((x, y, width // step * step, height // step * step), frame)
        href = _face(microscope, index, LAYERS[look.overlay]) + f"?step={step}"
        return [Layer("overlay", href, box, f"no {look.overlay} was kept")]
    return []


def _caption(view: RunView, index: int, name: str, look: Look) -> str:
    """How the image was registered, or that its overlay is still to come."""
    is_newest = view.preview is not None and view.preview.index == index
    if look.overlay in LAYERS and not is_newest and not _is_final(view, index):
        return f"{look.overlay} follows when it is final"
    return _placement(view, index, name)


def _sharp(
    microscope: Microscope,
    index: int,
    name: str,
    look: Look,
    pixel_nm: tuple[float, float],
    shown_nm: float,
) -> tuple[Sharp, ...]:
    frame = microscope.frame
    if frame is None or microscope.feed.away:
        return ()
    x, y, width, height = region_px(microscope.feed.view, frame)
    image = _face(microscope, index, f"image/{name}")
    found = [Sharp("image", image, (0.0, 0.0), pixel_nm, frame.shape, shown_nm)]
    if look.overlay in LAYERS and _is_final(microscope.feed.view, index):
        origin = (x * pixel_nm[1], y * pixel_nm[0])
        overlay = _face(microscope, index, LAYERS[look.overlay])
        found.append(Sharp("overlay", overlay, origin, pixel_nm, (height, width), shown_nm))
    return tuple(found)


def _marks(view: RunView, index: int, name: str, frame: FrameGeometry) -> Iterator[Mark]:
    """Region of interest, fiducials and ruler of one image, where they were found."""
    region = _scaled(region_px(view, frame), frame)
    yield Mark("region", region, used=True, title="region of interest")
    told = view.slices.get(index)
    for fiducial in told.channels[name].fiducials if told and name in told.channels else ():
        yield _fiducial(fiducial, frame)
    thickness = view.thickness.get(index)
    for bar in thickness.marks if thickness else ():
        if bar.channel == name:
            yield _bar(bar, frame)


def _fiducial(found: FoundFiducial, frame: FrameGeometry) -> Mark:
    box = _scaled((found.x_px, found.y_px, found.width_px, found.height_px), frame)
    title = f"fiducial, quality {found.quality:.3f}{'' if found.used else ', left out'}"
    return Mark("fiducial", box, found.used, title)


def _bar(found: FoundMark, frame: FrameGeometry) -> Mark:
    left = found.x_px - found.width_px / 2
    box = _scaled((left, found.y_px, found.width_px, found.height_px), frame)
    sigma = length(found.sigma_px * frame.pixel_nm[1])
    title = f"ruler, {found.kind}: centre ± {sigma}{'' if found.used else ', left out'}"
    return Mark("ruler", box, found.used, title, found.x_px * frame.pixel_nm[1])


def _placement(view: RunView, index: int, name: str) -> str:
    """How the image was registered."""
    told = view.slices.get(index)
    placed = told.channels.get(name) if told else None
    if placed is None:
        return ""
    return f"Δy {placed.dy_px:+.2f}, Δx {placed.dx_px:+.2f} px · q {placed.quality:.2f}"


def _is_final(view: RunView, index: int) -> bool:
    told = view.slices.get(index)
    return told is not None and told.status is Status.FINAL


def _scaled(box_px: tuple[float, float, float, float], frame: FrameGeometry) -> Box:
    x, y, width, height = box_px
    py, px = frame.pixel_nm
    return x * px, y * py, width * px, height * py


def _face(microscope: Microscope, index: int, layer: str) -> str:
    return microscope.address(f"face/{index}/{quote(layer)}")
