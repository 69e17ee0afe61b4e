"""The first faces of an acquisition: what a microscope's images look like, without anybody's labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.errors import CheckpointDamagedError, ModelMismatchError
from models.kept_arrays import keep_arrays
from models.normalisation import FaceImage, Normalisation, face_limits, normalise


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """Registered images of successive slices, and how large they are.

    Attributes:
        images: (slice, channel, y, x) uint8 or uint16.
        voltages_kv: of the channels.
        pixel_nm: height and width of a pixel on the face.
        thickness_nm: of the slices, mean and standard deviation.
    """

    images: FaceImage
    voltages_kv: tuple[float, ...]
    pixel_nm: tuple[float, float]
    thickness_nm: tuple[float, float]

    @property
    def sha256(self) -> str:
        """Of the images, to the last bit."""
        return hashlib.sha256(np.ascontiguousarray(self.images).data).hexdigest()


def chosen_channels(acquired: Acquired, voltages_kv: Sequence[float], where: str) -> Acquired:
    """The acquisition as a network of these voltages sees it.

    Raises:
        ModelMismatchError: a voltage is missing.
    """
    missing = [voltage for voltage in voltages_kv if voltage not in acquired.voltages_kv]
    if missing:
        raise ModelMismatchError(
            f"the network needs images of {_told(voltages_kv)}, not of {_told(acquired.voltages_kv)}",
            where,
            "Choose a network of the acquisition's voltages with --model, e.g. models/zoo/unet_2kv.onnx.",
        )
    places = [acquired.voltages_kv.index(voltage) for voltage in voltages_kv]
    return replace(acquired, images=acquired.images[:, places], voltages_kv=tuple(voltages_kv))


def on_network_scale(images: FaceImage, normalisation: Normalisation) -> NDArray[np.float32]:
    """Images (image, y, x), each scaled by its own percentiles as a network is given them."""
    return np.stack([normalise(image, face_limits(image, normalisation), normalisation) for image in images])


def keep_acquired(acquired: Acquired, path: Path) -> None:
    """Write it, whole or not at all."""
    keep_arrays(
        path,
        images=acquired.images,
        voltages_kv=acquired.voltages_kv,
        pixel_nm=acquired.pixel_nm,
        thickness_nm=acquired.thickness_nm,
    )


def kept_acquired(path: Path) -> Acquired:
    """What :func:`keep_acquired` wrote.

    Raises:
        CheckpointDamagedError: it cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images = arrays["images"]
            lengths = {
                name: tuple(arrays[name].tolist()) for name in ("voltages_kv", "pixel_nm", "thickness_nm")
            }
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as problem:
        raise CheckpointDamagedError(
            f"the faces that were kept cannot be read: {problem}",
            str(path),
            "Remove this file: the faces are read from the acquisition anew.",
        ) from problem
    return Acquired(images, **lengths)


def _told(voltages_kv: Sequence[float]) -> str:
    return " + ".join(f"{voltage:g} kV" for voltage in voltages_kv)
