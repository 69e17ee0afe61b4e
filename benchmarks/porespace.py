"""What the pores do: each descriptor on bodies where it is known, and beside PoreSpy, scikit-image and
taufactor.

Bodies go through the whole analysis. What is allowed is 1 %, or the discretisation's bound where that is
larger: half the diagonal of a voxel for a radius, a layer so thick for what a ball rolls around, 2.75 % for a
path between the directions of steps within a plane. Peers get the same random network; seconds are the
processor's, the least of at least three rounds in turn, for what else runs adds to any of them.
"""

from __future__ import annotations

from rich.table import Table

from benchmarks.porespace_bodies import Known, known_descriptors
from benchmarks.porespace_peers import Peer, beside_peers

QUICK_SIDE, FULL_SIDE = 48, 128


def measure(quick: bool) -> tuple[Table, dict[str, float]]:
    """Errors on known bodies; values and seconds of peers."""
    bodies = known_descriptors()
    peers = beside_peers(QUICK_SIDE if quick else FULL_SIDE, rounds=1 if quick else 3)
    figures = {
        "max_relative_error": max(one.error for one in bodies),
        "max_error_over_allowed": max(one.error / one.allowed for one in bodies),
        "descriptors": float(len(bodies)),
        "max_difference_to_peers": max(one.difference for one in peers),
        "worst_time_ratio": max(one.time_ratio for one in peers),
    }
    for one in bodies:
        figures[f"error_{one.key}"] = one.error
    for one in peers:
        figures |= {
            f"value_{one.key}": one.value,
            f"value_{one.key}_peer": one.peer_value,
            f"seconds_{one.key}": one.seconds,
            f"seconds_{one.key}_peer": one.peer_seconds,
        }
    return _table(bodies, peers), figures


def _table(bodies: list[Known], peers: list[Peer]) -> Table:
    table = Table("descriptor", "ours", "known, or the peer's", "difference", "allowed", "s", "peer's s")
    for one in bodies:
        numbers = (f"{one.value:.5g}", f"{one.known:.5g}", f"{one.error:.2%}", f"{one.allowed:.2%}")
        table.add_row(one.key, *numbers, "", "")
    for peer in peers:
        numbers = (f"{peer.value:.5g}", f"{peer.peer_value:.5g}", f"{peer.difference:.2%}", "")
        table.add_row(f"{peer.key}: {peer.name}", *numbers, f"{peer.seconds:.3g}", f"{peer.peer_seconds:.3g}")
    return table
