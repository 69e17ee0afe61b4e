"""The backscatter network: coefficient of bulk material under epoxy, from atomic number, voltage and depth.

Three inputs, hidden layers of 16, 32, 32 and 32, one output (Sardhara et al., "Generative adversarial
networks …", §2.2.2). It is small enough to be evaluated with numpy; its card is ``zoo/backscatter.md``.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from algorithms.depth_response import DepthResponse, tabulated_response
from algorithms.electron_transport.materials import EPOXY, GOLD
from models.errors import ModelError

Floats = NDArray[np.float64]
HIDDEN: Final = (16, 32, 32, 32)
SHIPPED: Final = Path(__file__).parent / "zoo" / "backscatter.npz"
RESPONSE_DEPTHS_NM: Final = np.arange(0.0, 191.0, 5.0)


@dataclass(frozen=True, slots=True)
class BackscatterNetwork:
    """Layers as (weights (out, in), biases (out,)); SiLU between them, none at the end."""

    layers: tuple[tuple[Floats, Floats], ...]

    def eta(self, inputs: Floats) -> Floats:
        """Coefficients (n,) of rows (n, 3): mean atomic number, voltage in kV, depth of burial in nm."""
        values = normalised(inputs)
        for weights, biases in self.layers[:-1]:
            values = values @ weights.T + biases
            values = values / (1 + np.exp(-values))
        weights, biases = self.layers[-1]
        return (values @ weights.T + biases)[:, 0]


def normalised(inputs: Floats) -> Floats:
    """Inputs as the network sees them, about 0 to 1 over the range of its training."""
    number, voltage_kv, depth_nm = inputs.T
    return np.stack((number / 80.0, np.log10(voltage_kv), depth_nm / 190.0), axis=1)


@lru_cache(maxsize=1)
def shipped_network() -> BackscatterNetwork:
    """The network that comes with slicewatch."""
    return load_network(SHIPPED)


def load_network(path: Path) -> BackscatterNetwork:
    """Read a network from its npz file.

    Raises
    ------
    ModelError
        It cannot be read, or is another kind of network.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            pairs = tuple((arrays[f"weights_{i}"], arrays[f"biases_{i}"]) for i in range(len(HIDDEN) + 1))
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"this is no backscatter network: {error}",
            where=str(path),
            remedy="Train one with `slicewatch synthesize backscatter`.",
        ) from error
    return BackscatterNetwork(pairs)


def save_network(network: BackscatterNetwork, path: Path) -> None:
    """Write a network as npz."""
    arrays = {f"weights_{i}": weights for i, (weights, _) in enumerate(network.layers)}
    arrays |= {f"biases_{i}": biases for i, (_, biases) in enumerate(network.layers)}
    np.savez_compressed(path, **arrays)  # pyright: ignore[reportArgumentType]


def network_response(voltage_kv: float, network: BackscatterNetwork | None = None) -> DepthResponse:
    """The depth response of gold in epoxy at a voltage from the network, for the fast image."""
    chosen = network or shipped_network()

    def under(number: float, depths_nm: Floats) -> Floats:
        rows = np.stack(np.broadcast_arrays(number, voltage_kv, depths_nm), axis=1)
        return chosen.eta(rows.astype(np.float64))

    gold = under(GOLD.mean_atomic_number, RESPONSE_DEPTHS_NM)
    epoxy = float(under(EPOXY.mean_atomic_number, np.zeros(1))[0])
    return tabulated_response(RESPONSE_DEPTHS_NM, gold, epoxy, voltage_kv)
