"""The project files around the images, as Auto Slice & View 4 writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from daemon.emulator.settings import EmulatorSettings

FIB_FOLDER = "FIB Image"
PROJECT_FILE = "EMproject.emxml"
DATA_FILE = "ProjectData.dat"
LOG_FOLDER = "LogImages"
SAMPLE_DEPTH_M = 2e-5
"""Edge of the box that the project file says it will mill."""


def sem_folder(position: int) -> str:
    """Folder of the image type at a position, counted from 0: "SEM Image", "SEM Image 2", …"""
    return "SEM Image" if position == 0 else f"SEM Image {position + 1}"


def image_path(project: Path, folder: str, slice_number: int) -> Path:
    """Where the image of a slice lies: numbers have three digits, and more from 1000 on."""
    return project / "Images" / folder / f"{folder} - SliceImage - {slice_number:03d}.tif"


def lay_folders(project: Path, settings: EmulatorSettings) -> None:
    """Create the project's folders and its project file."""
    folders = [sem_folder(position) for position in range(len(settings.voltages_kv))]
    for folder in [*folders, FIB_FOLDER]:
        (project / "Images" / folder).mkdir(parents=True)
    (project / LOG_FOLDER).mkdir()
    (project / PROJECT_FILE).write_bytes(_project_xml(project, settings, [*folders, FIB_FOLDER]))


def write_project_data(project: Path, settings: EmulatorSettings, reported_nm: Sequence[float]) -> None:
    """Write what the software has to say of the slices cut so far: target and believed thickness."""
    root = ElementTree.Element("Project")
    results = ElementTree.SubElement(root, "Results")
    for number, thickness_nm in enumerate(reported_nm, start=1):
        entry = ElementTree.SubElement(results, "Slice", {"Index": str(number)})
        _text(entry, "TargetThickness", _metres(settings.milling.target_nm))
        _text(entry, "MeasuredThickness", _metres(thickness_nm))
    (project / DATA_FILE).write_bytes(_document(root))


def _project_xml(project: Path, settings: EmulatorSettings, folders: Sequence[str]) -> bytes:
    root = ElementTree.Element("EMProject", {"xmlns": "EMProject"})
    _text(root, "ApplicationName", "Auto Slice & View 4")
    _text(root, "ApplicationVersion", "4.1.0.1196")
    _text(root, "ApplicationId", "ASV")
    _text(root, "FileVersion", "1.2")
    _text(root, "ProjectName", project.name)
    _text(root, "ZCutSpacing", _metres(settings.milling.target_nm))
    datasets = ElementTree.SubElement(root, "Datasets")
    for number, folder in enumerate(folders, start=1):
        _dataset(datasets, number, folder, settings)
    return _document(root)


def _dataset(datasets: ElementTree.Element, number: int, folder: str, settings: EmulatorSettings) -> None:
    dataset = ElementTree.SubElement(datasets, "Dataset")
    _text(dataset, "Id", str(number))
    _text(dataset, "Name", folder)
    _text(dataset, "Is2d", "false")
    size = ElementTree.SubElement(dataset, "BoxSize")
    _text(size, "SizeX", _metres(settings.width * settings.pixel_size_nm))
    _text(size, "SizeY", _metres(settings.height * settings.pixel_size_nm))
    _text(size, "SizeZ", f"{SAMPLE_DEPTH_M:.17G}")
    _text(dataset, "Rows", "1")
    _text(dataset, "Columns", "1")
    _text(dataset, "Status", "Created")
    _text(dataset, "NumberOfCuts", str(settings.slices))
    _text(dataset, "EnergyLevels", "1")
    live = ElementTree.SubElement(dataset, "LiveAcquisition")
    _text(live, "ImagesPath", f"D:\\ASV\\emulated\\Images\\{folder}")


def _metres(length_nm: float) -> str:
    return "NaN" if math.isnan(length_nm) else f"{length_nm * 1e-9:.17G}"


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = text


def _document(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    declaration = b'<?xml version="1.0" encoding="utf-8"?>\r\n'
    return declaration + ElementTree.tostring(root, encoding="unicode").replace("\n", "\r\n").encode("utf-8")
