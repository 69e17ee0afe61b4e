"""Starts ONNX Runtime on the hardware that was asked for, and says what it really runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (  # pyright: ignore[reportMissingImports]
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
)

from models import providers
from models.binding import BoundSession
from models.errors import ModelFileCorruptError, ProviderUnavailableError


@dataclass(frozen=True, slots=True)
class Runtime:
    """A session that runs.

    Attributes:
        provider: the hardware it runs on, asked of the session, not of the wish list.
        refusals: each provider that was asked for in vain, and why.
        session: ONNX Runtime's.
        bound: the same on memory of its device, where that is not the processor's.
    """

    provider: str
    refusals: Mapping[str, str]
    session: onnxruntime.InferenceSession = field(repr=False)
    bound: BoundSession | None = field(default=None, repr=False)

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's only output for its only input."""
        if self.bound:
            return self.bound.run(batch)
        results: Sequence[Any] = self.session.run(None, {self.session.get_inputs()[0].name: batch})
        return results[0]

    @property
    def input_shape(self) -> list[int | str]:
        """As the file has it; free axes are names."""
        return list(self.session.get_inputs()[0].shape)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's ``metadata_props``."""
        return self.session.get_modelmeta().custom_metadata_map


def start(
    content: bytes, requested: Sequence[str], path: Path, *, allow_cpu_fallback: bool, threads: int
) -> Runtime:
    """Start a session of a file's content.

    Args:
        content: of an ``.onnx`` file.
        requested: execution providers, the preferred one first.
        path: of the file, for messages.
        allow_cpu_fallback: whether to go on when none but the CPU works although another was asked for.
        threads: that one inference may use on the CPU.

    Raises:
        ModelFileCorruptError: ONNX Runtime cannot load it.
        ProviderUnavailableError: only the CPU works, and falling back to it was not allowed; or none is
            asked for.
    """
    if not requested:
        raise ProviderUnavailableError(
            "no hardware is named that may run the network",
            str(path),
            f"Name {providers.CPU}, at least, in providers of [segmentation].",
        )
    tried, refusals = providers.usable(requested)
    session = _session(content, tried or (providers.CPU,), threads, path)
    provider = session.get_providers()[0]
    refusals |= _late_refusals(tried, provider)
    if provider == providers.CPU and requested[0] != providers.CPU and not allow_cpu_fallback:
        raise no_hardware(refusals, path)
    bound = BoundSession(session, "cuda") if provider in providers.ON_NVIDIA else None
    return Runtime(provider, refusals, session, bound)


def no_hardware(refusals: Mapping[str, str], path: Path) -> ProviderUnavailableError:
    """The error for a file that only the CPU can run, where that is not allowed."""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
    return ProviderUnavailableError(
        f"only the CPU can run the network ({reasons})",
        str(path),
        "Install the driver and libraries, or set allow_cpu_fallback = true in [segmentation].",
    )


def _session(content: bytes, tried: Sequence[str], threads: int, path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only: what a fall-back means is said by us, not by its log
    # Threads that wait sleep, and work is cut finer, so that one slow core does not keep the other waiting;
    # `python -m benchmarks inference` times it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.dynamic_block_base", "4")
    try:
        started = [(provider, dict(providers.options(provider))) for provider in tried]
        return onnxruntime.InferenceSession(content, options, providers=started)
    except (InvalidProtobuf, InvalidGraph, InvalidArgument, Fail) as problem:
        raise ModelFileCorruptError(
            f"ONNX Runtime cannot load this network: {problem}",
            str(path),
            "Fetch the file again, or name another in the configuration.",
        ) from problem


def _late_refusals(tried: Sequence[str], provider: str) -> dict[str, str]:
    """Those before the provider in use: nothing spoke against them, yet the session left them out."""
    better = tried[: tried.index(provider)] if provider in tried else tried
    return dict.fromkeys(better, "ONNX Runtime could not start it")
