"""What all records of the wire have in common: a topic, a key and arrays."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any, ClassVar

import msgspec
import numpy as np

NAN = math.nan
Array = np.ndarray[Any, Any]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A record of one topic. ``arrays`` travel as payload frames, not in the header."""

    topic: ClassVar[str]
    arrays: dict[str, np.ndarray] = {}

    @property
    def key(self) -> Hashable:
        """Messages of one topic with equal keys replace each other."""
        return None
