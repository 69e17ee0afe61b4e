"""What is adapted to: an acquisition's folder with its configuration, or the outputs of a run over one."""

from __future__ import annotations

from pathlib import Path

from daemon.config import Configuration, load, parse
from daemon.errors import ConfigurationError, FolderError
from daemon.journal_bodies import read_records
from daemon.outputs import Outputs


def configuration_of(folder: Path, config: Path | None) -> Configuration:
    """How the images of ``folder`` are to be read and registered.

    Of a run's outputs that is how the run did it; of an acquisition folder, what ``config`` says.

    Raises
    ------
    FolderError
        The folder, or the acquisition that the run watched, is missing.
    ConfigurationError
        Nobody says which images are which and where the fiducials lie, or the file cannot be used.
    JournalError
        The run's journal is damaged.
    """
    if not folder.is_dir():
        raise FolderError(
            "there is no such folder",
            where=str(folder),
            remedy="Give the project folder of an acquisition, or run.output of a run; or mount the share.",
        )
    journal = Outputs(folder).journal
    if journal.is_file() and config is None:
        return _still_there(parse(read_records(journal, "slice")[0], where=folder), folder)
    if config is None:
        raise ConfigurationError(
            "channels and fiducials of this acquisition are not known",
            where=str(folder),
            remedy="Give its configuration with --config; `slicewatch calibrate` proposes one. Or give "
            "run.output of a run over it, which knows them.",
        )
    configuration = load(config)
    return configuration if journal.is_file() else _reading(configuration, folder)


def _reading(configuration: Configuration, folder: Path) -> Configuration:
    """The same for the images of another folder than the configured one."""
    return configuration.model_copy(update={"run": configuration.run.model_copy(update={"folder": folder})})


def _still_there(configuration: Configuration, output: Path) -> Configuration:
    if not configuration.run.folder.is_dir():
        raise FolderError(
            "the acquisition of this run is no longer where it was",
            where=f"{configuration.run.folder}, of {output}",
            remedy="Mount the share; or give the folder that it lies in now, with --config of the run.",
        )
    return configuration
