"""What several test modules need: real microscope files where they exist, and small images like them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
import tifffile
from hypothesis import settings

settings.register_profile("slicewatch", deadline=None, max_examples=60)
settings.load_profile("slicewatch")

WriteFei = Callable[..., Path]


@pytest.fixture(autouse=True)
def _fresh_logs() -> Iterator[None]:
    """A command that one test runs must not leave its log going to a stream that is closed in the next."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real microscope files; tests that need it are skipped where it is absent."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "real"
    folder = Path(os.environ.get("SLICEWATCH_REAL_DATA", beside))
    if not (folder / "asv4-helios-g4-2kv-slice-001.tif").exists():
        pytest.skip("no real microscope files: set SLICEWATCH_REAL_DATA")
    return folder


def fei_ini(**changes: str) -> str:
    """INI text as a Helios writes it; ``changes`` are ``Section_Key=value``."""
    values = {
        "User_Date": "11/19/2020", "User_Time": "11:13:36 AM",
        "System_SystemType": "Helios NanoLab G3",
        "Beam_HV": "2000", "Beam_Beam": "EBeam",
        "EBeam_HV": "2000", "EBeam_HFW": "1e-006", "EBeam_TiltCorrectionIsOn": "no",
        "Scan_Dwelltime": "3e-005", "Scan_PixelWidth": "3.26e-009",
        "Stage_StageT": "0.907571",
        "Image_ResolutionX": "3072", "Image_ResolutionY": "2048",
        "Specimen_Temperature": "",
        "Detectors_Name": "TLD",
        "PrivateFei_TimeOfCreation": "19.11.2020 11:13:36",
    }  # fmt: skip
    values |= changes
    lines: list[str] = []
    section = ""
    for name, value in sorted(values.items()):
        head, _, key = name.partition("_")
        if head != section:
            section = head
            lines += ["", f"[{section}]"]
        lines.append(f"{key}={value}")
    return "\r\n".join([*lines[1:], ""])


@pytest.fixture(scope="session")
def write_fei() -> WriteFei:
    """A function that writes a small grey TIFF with FEI metadata and returns its path."""

    def write(path: Path, image: np.ndarray | None = None, *, volts: int = 2000, **changes: str) -> Path:
        if image is None:
            seed = zlib.crc32(f"{path} {volts}".encode())
            image = np.random.default_rng(seed).integers(1, 255, (24, 32), np.uint8)
        text = fei_ini(Beam_HV=str(volts), EBeam_HV=str(volts), **changes)
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, image, metadata=None, extratags=[(34682, "s", 0, text, True)])
        return path

    return write
