"""What the acquisition software says of the run: EMproject.emxml and ProjectData.dat, both optional.

The names' case varies between versions. ProjectData.dat is rewritten by the microscope after every slice, so
it may be caught half-written; its thicknesses are poor (many slices ≤ 1 nm) and are only ever a fall-back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from daemon.errors import FolderError
from daemon.metadata.text import decoded, number, parsed_xml, positive

_PROJECT_FILE: Final = "emproject.emxml"
_DATA_FILE: Final = "projectdata.dat"
_LARGEST_FILE: Final = 1 << 26
_NUMBER_TAGS: Final = ("slicenumber", "number", "index", "slice", "id", "slicenr")


@dataclass(frozen=True, slots=True)
class SliceThickness:
    """Thickness that was wanted and that the software believes it milled, nm; None where it does not say."""

    target_nm: float | None
    measured_nm: float | None


@dataclass(frozen=True, slots=True)
class Project:
    """What is known of a run before its images; ``expected_slices`` 0 and None mean: not said."""

    name: str = ""
    z_spacing_nm: float | None = None
    expected_slices: int = 0
    datasets: tuple[str, ...] = ()
    thickness: Mapping[int, SliceThickness] = field(default_factory=dict[int, SliceThickness])


def read_project(folder: Path) -> Project:
    """Read whichever of the two files is there; a file that cannot be understood counts as absent.

    Raises
    ------
    FolderError
        The folder is missing or cannot be listed.
    """
    files = _files(folder)
    project = _document(files.get(_PROJECT_FILE))
    return Project(
        name=_text(project, "ProjectName"),
        z_spacing_nm=_nm(_text(project, "ZCutSpacing"), least=0.0),
        expected_slices=_expected_slices(project),
        datasets=tuple(_text(dataset, "Name") for dataset in _datasets(project)),
        thickness=read_thickness(folder),
    )


def read_thickness(folder: Path) -> dict[int, SliceThickness]:
    """The thicknesses by slice number as ProjectData.dat has them now; empty if absent or half-written.

    Raises
    ------
    FolderError
        The folder is missing or cannot be listed.
    """
    root = _document(_files(folder).get(_DATA_FILE))
    if root is None:
        return {}
    return dict(_numbered(_thickness_records(root)))


def _files(folder: Path) -> dict[str, Path]:
    """Files of the folder by their name in lower case."""
    try:
        return {path.name.casefold(): path for path in sorted(folder.iterdir())}
    except OSError as error:
        raise FolderError(
            f"the project folder cannot be listed: {error.strerror or error}",
            where=str(folder),
            remedy="Correct run.folder, or mount the share.",
        ) from error


def _document(path: Path | None) -> Element | None:
    if path is None:
        return None
    try:
        raw = path.read_bytes() if path.stat().st_size <= _LARGEST_FILE else b""
    except OSError:
        return None
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    return parsed_xml(raw.decode("utf-16", errors="replace") if wide else decoded(raw))


def _text(element: Element | None, path: str) -> str:
    return (element.findtext(path) or "").strip() if element is not None else ""


def _datasets(project: Element | None) -> list[Element]:
    return project.findall("Datasets/Dataset") if project is not None else []


def _expected_slices(project: Element | None) -> int:
    """The largest number of cuts of any data set: the others may image every n-th slice only."""
    cuts = [positive(_text(dataset, "NumberOfCuts")) for dataset in _datasets(project)]
    return max((int(count) for count in cuts if count is not None), default=0)


def _thickness_records(root: Element) -> Iterator[Element]:
    """Every element that has a thickness as a child or an attribute, in the order of the file."""
    for element in root.iter():
        names = {child.tag.casefold() for child in element} | {name.casefold() for name in element.attrib}
        if names & {"targetthickness", "measuredthickness"}:
            yield element


def _numbered(records: Iterator[Element]) -> Iterator[tuple[int, SliceThickness]]:
    """Records with their slice number; one without takes the number after the record before it."""
    following = 1
    for record in records:
        values = {child.tag.casefold(): child.text or "" for child in record}
        values |= {name.casefold(): text for name, text in record.attrib.items()}
        said = next((n for n in (number(values.get(tag)) for tag in _NUMBER_TAGS) if n is not None), None)
        index = int(said) if said is not None else following
        following = index + 1
        yield (
            index,
            SliceThickness(
                _nm(values.get("targetthickness"), least=0.0),
                _nm(values.get("measuredthickness"), least=-1.0),
            ),
        )


def _nm(metres: str | None, *, least: float) -> float | None:
    """Metres as text in nm; None for blank, NaN, or what is not above ``least``. A measured 0 is a value."""
    value = number(metres)
    return value * 1e9 if value is not None and value > least else None
