"""What an ONNX file of ours says about itself (:mod:`models.stated`): how to feed it, where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len
from pydantic import with_config

from models.errors import ModelMismatchError
from models.normalisation import Normalisation
from models.stated import STRICT, read_stated, stated

FORMAT = 1
MOST_CLASSES = 16
"""Of every phase there are counts, per slice; 255 is no label."""
NAMED = Len(1)
Denoise = Literal["none", "non-local-means"]
"""What takes the noise out of each image beforehand (:data:`algorithms.denoising.METHODS`)."""
REMEDY = "Use a file of models/zoo, or one written by `slicewatch train`."


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ModelSpec:
    """How to feed a network, and its provenance.

    Attributes:
        name: of the network, e.g. ``late_fusion``.
        channels: names of the image channels, in input order, e.g. ``("1kV", "2kV", "4kV")``.
        voltages_kv: acceleration voltage of each channel; 0: any.
        adjacent_slices: slices of a window; the middle one is labelled.
        classes: phases; class 0 is pore, 1 is solid.
        normalisation: what is done to each image beforehand.
        stride_px: image sides and tile origins must be multiples of it.
        reach_px: input pixels farther away than this, along y or x, do not matter.
        training_data_sha256: of the scenes it was trained on.
        torch_difference: largest difference from torch's probabilities, seen at export in single precision.
        sha256: of the file; empty until it was read from one.
        detectors: of each channel, where that and not the voltage tells them apart; empty: any.
        features: what a forest is given instead of pixels (:mod:`models.forest_features`); empty: pixels.
        denoise: what was done against the noise of the images that it was trained on.
        precision: of its weights and values; a variant's is ``fp16`` or ``int8`` (:mod:`models.variants`).
    """

    name: Annotated[str, NAMED]
    channels: Annotated[tuple[Annotated[str, NAMED], ...], NAMED]
    voltages_kv: Annotated[tuple[Annotated[float, Ge(0)], ...], NAMED]
    adjacent_slices: Annotated[int, Ge(1)]
    classes: Annotated[int, Ge(2), Le(MOST_CLASSES)]
    normalisation: Normalisation
    stride_px: Annotated[int, Ge(1)]
    reach_px: Annotated[int, Ge(0)]
    training_data_sha256: str
    torch_difference: Annotated[float, Ge(0)]
    sha256: str = ""
    precision: str = "fp32"
    detectors: tuple[str, ...] = ()
    features: str = ""
    denoise: Denoise = "none"

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.voltages_kv):
            raise ValueError("it names another number of channels than of voltages")
        if len(self.detectors) not in (0, len(self.channels)):
            raise ValueError("it names another number of channels than of detectors")
        if self.adjacent_slices % 2 == 0:
            raise ValueError("adjacent_slices is odd: the middle one is labelled")
        if self.reach_px % self.stride_px:
            raise ValueError("reach_px is a multiple of stride_px")


def to_metadata(spec: ModelSpec) -> dict[str, str]:
    """The ``metadata_props`` of a file that holds this network."""
    return stated(spec, {"format": FORMAT})


def from_metadata(metadata: Mapping[str, str], sha256: str, where: str) -> ModelSpec:
    """Read back what :func:`to_metadata` wrote.

    Raises:
        ModelMetadataInvalidError: a field is absent, unreadable or impossible, or the format is another.
    """
    return read_stated(ModelSpec, metadata, {"format": FORMAT}, sha256, where, REMEDY)


def check_fits(
    spec: ModelSpec, voltages_kv: tuple[float, ...], detectors: tuple[str, ...], where: str
) -> None:
    """Refuse a network whose voltages or detectors, in order, are not those of the configured channels.

    Raises:
        ModelMismatchError: with the channels that the network needs.
    """
    wanted = spec.detectors or ("",) * len(spec.voltages_kv)
    fits = len(voltages_kv) == len(wanted) and all(
        kv in (0.0, given_kv) and one.casefold() in ("", given.casefold())
        for kv, given_kv, one, given in zip(spec.voltages_kv, voltages_kv, wanted, detectors, strict=True)
    )
    if not fits:
        raise ModelMismatchError(
            f"the network needs images of {described(spec.voltages_kv, wanted)}, "
            f"but the configured channels are {described(voltages_kv, detectors)}",
            where,
            "Set [[channels]] in that order; or leave model of [segmentation] empty, which finds the shipped "
            "network for 1, 2 and 4 kV together, two or one of them, or for the detectors SE2 and InLens; "
            "or name a network for these channels.",
        )


def check_denoised(spec: ModelSpec, denoise: Denoise, where: str) -> None:
    """Refuse a network that learned from images whose noise was treated otherwise than it now is.

    Raises:
        ModelMismatchError: with the setting that fits.
    """
    if denoise != spec.denoise:
        trained = "as they come" if spec.denoise == "none" else f"denoised by {spec.denoise}"
        raise ModelMismatchError(
            f"the network was trained on images {trained}, but [segmentation] denoise is {denoise!r}",
            where,
            f"Set denoise = {spec.denoise!r}, or name a forest that was trained with "
            f"`slicewatch train forest --denoise {denoise}`.",
        )


def described(voltages_kv: tuple[float, ...], detectors: tuple[str, ...]) -> str:
    """Channels in words: "1 kV + 2 kV", "SE2 + InLens"."""
    pairs = zip(voltages_kv, detectors, strict=True)
    return " + ".join(f"{f'{kv:g} kV ' if kv else ''}{one}".strip() or "any" for kv, one in pairs)
