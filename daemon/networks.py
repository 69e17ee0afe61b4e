"""What a run is computed with: its networks, and the images that the one that segments knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from daemon.config import Configuration
from daemon.stages.filling import Filling, open_filling
from daemon.stages.recognising import domains_sha256, known_domains
from daemon.stages.segmenting import open_model
from models.domain import ChannelDomain
from models.session import Segmenter

_log = structlog.get_logger("slicewatch")


@dataclass(frozen=True, slots=True)
class Networks:
    """All of them, opened; ``known`` by channel, ``known_sha256`` of the files that say so."""

    segmenter: Segmenter
    filling: Filling
    known: Mapping[str, ChannelDomain]
    known_sha256: str

    @property
    def sha256(self) -> dict[str, str]:
        """Checksums by what they are for."""
        return {
            "segmentation": self.segmenter.spec.sha256,
            "inpainting": self.filling.sha256,
            "known images": self.known_sha256,
        }


def open_networks(configuration: Configuration, cores: int) -> Networks:
    """The configured networks on the best hardware that works; so many cores where that is the CPU.

    Raises
    ------
    ModelError
        A file is missing, damaged, for other channels, or nothing may run it.
    """
    segmenter, filling = open_model(configuration, cores), open_filling(configuration, cores)
    if segmenter.refusals:
        _log.warning("model.fallback", provider=segmenter.provider, refused=dict(segmenter.refusals))
    known = known_domains(configuration)
    _log.info("model.ready", name=segmenter.spec.name, provider=segmenter.provider, compared=bool(known))
    return Networks(segmenter, filling, known, domains_sha256(configuration))
