"""Runs a session on input memory that stays on its device, instead of allocating it anew for every batch."""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Batch = NDArray[np.float32]


class BoundSession:
    """A network of one input and one output, bound to memory of a device.

    Tiles of an image have one shape, so the memory of the last shape is all that is kept.

    Args:
        session: ONNX Runtime's.
        device: ``cuda`` or ``cpu``, as ONNX Runtime calls it.
    """

    def __init__(self, session: onnxruntime.InferenceSession, device: str) -> None:
        self._session, self._device = session, device
        self._shape: tuple[int, ...] = ()
        self._input: Any = None
        self._binding: Any = None

    def run(self, batch: Batch) -> Batch:
        """The output for a batch, in memory of the processor that is the caller's alone."""
        if batch.shape != self._shape:
            self._bind(batch.shape)
        self._input.update_inplace(np.ascontiguousarray(batch))
        self._session.run_with_iobinding(self._binding)
        return self._binding.copy_outputs_to_cpu()[0]

    def _bind(self, shape: tuple[int, ...]) -> None:
        self._shape, self._input, self._binding = (), None, None  # given back before more is asked for
        # Not made from a batch: on the CPU it would share that memory, and the next would overwrite it.
        self._input = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, self._device, 0)
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input(self._session.get_inputs()[0].name, self._input)
        self._binding.bind_output(self._session.get_outputs()[0].name, self._device)
        self._shape = shape
