"""The network: its file, whether it fits, and the hardware that really runs it."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.checks.finding import Finding, ok, warn
from daemon.checks.images import FirstImages
from daemon.config import Configuration
from daemon.operating_system import usable_cores
from daemon.stages.filling import open_filling
from daemon.stages.recognising import known_domains
from daemon.stages.segmenting import cropped, model_paths, open_model
from models import providers
from models.canary import test_side_px
from models.model_file import checksum_path
from models.session import Segmenter, canary_seconds

_LOOKS = 2
"""Every face is segmented when it comes and again when its neighbours are there."""


def open_network(configuration: Configuration) -> Segmenter:
    """The network as a run would open it.

    Raises
    ------
    ModelError
        The file is missing, damaged, for other channels, or nothing may run it.
    """
    return open_model(configuration, usable_cores())


def check_model(configuration: Configuration, segmenter: Segmenter) -> Finding:
    """The file is whole and made for these channels (opening it has proved that); which one it is."""
    paths, spec = model_paths(configuration), segmenter.spec
    text = f"{spec.name} for {' + '.join(spec.channels)}, {spec.classes} phases, sha256 {spec.sha256[:12]}…"
    text += "" if known_domains(configuration) else "; images are not compared with those that it knows"
    for path in paths:
        if checksum_path(path).is_file():
            continue
        remedy = f"Put {checksum_path(path).name} (sha256sum) beside it to have damage noticed."
        return warn("model", f"{text}; no checksum to compare with", remedy)
    return ok("model", f"{text}, as its checksum says")


def check_provider(configuration: Configuration, segmenter: Segmenter, images: FirstImages) -> Finding:
    """What was asked for, what runs, how fast; a fall-back to the CPU is never silent."""
    seconds = canary_seconds(segmenter)
    text = f"{segmenter.provider}, {seconds:.3f} s for a test tile"
    text += _forecast(configuration, segmenter, images, seconds)
    if not segmenter.refusals:
        return ok("provider", text)
    remedy = "Install the driver and libraries for it, or leave it out of segmentation.providers."
    return warn("provider", f"{text}; asked for in vain: {_reasons(segmenter.refusals)}", remedy)


def check_filling(configuration: Configuration) -> Finding:
    """How planes between slices are filled, and that its network, if it needs one, can be loaded.

    Raises
    ------
    ModelError
        It cannot.
    """
    open_filling(configuration, usable_cores())
    return ok("filling", f"planes between slices: {configuration.volume.interpolation}")


def check_hardware(configuration: Configuration) -> Finding:
    """What could run a network, when there is none to try."""
    tried, refusals = providers.usable(configuration.segmentation.providers)
    text = f"not tried for want of a network; {', '.join(tried) or 'none of those asked for'} could work"
    return warn("provider", f"{text}; {_reasons(refusals)}" if refusals else text, "Correct the model first.")


def _forecast(
    configuration: Configuration, segmenter: Segmenter, images: FirstImages, canary_s: float
) -> str:
    """Segmentation time of a slice, scaled from the test tile by area."""
    frame = images.reference(configuration)
    if frame is None:
        return ""
    side = test_side_px(segmenter.spec.stride_px, segmenter.spec.reach_px)
    face = cropped(frame.image, configuration.geometry.roi)
    return f", about {_LOOKS * canary_s * face.size / side**2:.0f} s a slice"


def _reasons(refusals: Mapping[str, str]) -> str:
    """Providers that were refused for the same reason together: it is usually one missing library."""
    by_reason: dict[str, list[str]] = {}
    for name, why in refusals.items():
        by_reason.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())
