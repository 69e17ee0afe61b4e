"""What each benchmark's figures have to reach: the bars of the design, beside the key that measures them.

A bar is a fact about the project, not about a measurement: it stands here and is never moved to fit one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from typing import Final, Literal

Relation = Literal["<=", ">=", "=="]

_HOLDS: Final[dict[Relation, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure's bar.

    Attributes:
        key: of the figure in the benchmark's JSON object.
        relation: of the figure to the limit.
        limit: in the unit of the figure.
        about: what the figure is, with its unit, for people.
    """

    key: str
    relation: Relation
    limit: float
    about: str

    def verdict(self, value: float) -> Literal["reached", "missed", "not measured"]:
        """What a measured value, NaN if there is none, says."""
        if isnan(value):
            return "not measured"
        return "reached" if _HOLDS[self.relation](value, self.limit) else "missed"


BARS: Final[dict[str, tuple[Bar, ...]]] = {
    "domain": (
        Bar("false_alarm_share", "<=", 0.01, "of runs that the network knows, with an alarm"),
        Bar("worst_delay", "<=", 5.0, "slices until any of five changes is noticed"),
    ),
    "drift": (
        Bar("mean_run_length", ">=", 5000.0, "slices between false alarms"),
        Bar("ratio_to_optimal", "<=", 1.1, "delay at 1 σ over the optimal CUSUM's"),
    ),
    "forest": (
        Bar("awe_tailored", "<=", 6.1, "% weighted error of the tailored forest, full view"),
        Bar("order_holds", "==", 1.0, "each approach better than the one before it"),
        Bar("labels_equal_tailored", ">=", 0.9999, "labels that ONNX and scikit-learn share"),
    ),
    "gan": (
        Bar("mp_ratio_to_montecarlo", "<=", 1.5, "misplaced pixels, learned from generated images"),
        Bar("anisotropy_gain_4kv", ">=", 0.2, "less mean anisotropy error adapted than as shipped, 4 kV"),
        Bar(
            "anisotropy_gain_over_unadapted_training_4kv",
            ">=",
            0.2,
            "less than after the same training without a style",
        ),
        Bar("synthetic_cost_mp_percent_4kv", "<=", 0.402, "% misplaced more on synthetic, published"),
    ),
    "inference": (
        Bar("speedup_vs_torch", ">=", 1.5, "times faster than torch eager"),
        Bar("seconds_per_triple", "<=", 40.0, "s per triple of 3072×2048"),
    ),
    "ingest": (
        Bar("trials", ">=", 1e5, "torn writes"),
        Bar("truncated_reads", "==", 0.0, "torn files taken for whole"),
        Bar("missed", "==", 0.0, "files never read"),
        Bar("ready_delay_p99_s", "<=", 2.0, "s from the last byte to the reading, 99 % of the files"),
    ),
    "latency": (
        Bar("triple_to_published_s", "<=", 60.0, "s from a complete triple of 3072×2048 to everything heard"),
        Bar("outside_inference_s", "<=", 5.0, "s of it outside the network"),
        Bar("thickness_first_image_s", "<=", 2.0, "s from the first image to its thickness heard"),
        Bar("peak_rss_gib", "<=", 4.0, "GiB at most in the daemon's memory"),
        Bar("start_to_first_look_s", "<=", 2.0, "s from the process's start to its first look at the folder"),
    ),
    "metrics": (
        Bar("speedup_vs_porespy", ">=", 50.0, "times faster than recomputing with PoreSpy at 256³"),
        Bar("max_abs_difference_to_batch", "<=", 1e-12, "streamed against batch"),
        Bar("growth_ratio", "<=", 1.1, "cost per plane at height 1024 over that at height 64"),
    ),
    "monitor": (
        Bar("latency_p95_s", "<=", 0.5, "s from a slice published to its number on every screen, p95"),
        Bar("update_cost_s", "<=", 0.1, "s to take in slice 2000 and draw all charts"),
        Bar("memory_growth_ratio", "<=", 1.2, "server after 2000 slices, 5 browsers, over that after 100"),
        Bar("heap_growth_ratio", "<=", 1.2, "browser heap after 2000 slices over that after 100"),
    ),
    "porespace": (
        Bar("max_error_over_allowed", "<=", 1.0, "largest error over 1 % or the discretisation's bound"),
        Bar("worst_time_ratio", "<=", 1.0, "our processor time over the peer's, worst of all"),
    ),
    "protocol": (
        Bar("ratio_to_pyzmq", ">=", 0.8, "messages/s over bare pyzmq's (which copies), worst case of all"),
        Bar("lost", "==", 0.0, "messages lost, storm of reconnects included"),
        Bar("twice_or_out_of_order", "==", 0.0, "messages told twice or out of order after a snapshot"),
        Bar("hostile_slice_ratio", "<=", 1.05, "time of a slice among hostile peers over that without"),
        Bar("hostile_connects", ">=", 1000.0, "connects and disconnects while the slices were timed"),
        Bar("hostile_memory_growth_mib", "<=", 8.0, "MiB, memory among hostile peers"),
    ),
    "registration": (
        Bar("rmse_px", "<=", 0.05, "px, realistic noise"),
        Bar("ratio_to_crb", "<=", 1.3, "over the Cramér–Rao bound, clean fiducials"),
        Bar("ratio_to_best_peer", "<=", 1.05, "over the best library, worst case of all"),
    ),
    "restart": (Bar("identical", ">=", 200.0, "runs bit-identical after a kill -9 at a random moment"),),
    "scaling": (
        Bar("efficiency_two_workers", ">=", 0.85, "of two workers on two cores against one on one"),
        Bar("efficiency_dask", ">=", 0.85, "of a Dask cluster of two processes against one worker"),
        Bar("killed_worker_changes", "==", 0.0, "outputs that a killed worker changes"),
    ),
    "segmentation": (
        Bar("late_mp_over_best_single", "<=", 1.0, "late fusion's MP over the best voltage's"),
        Bar("late_mp_over_kmeans", "<=", 0.1, "late fusion's MP over k-means' at 1 kV"),
        Bar("late_mean_dice", ">=", 0.99, "mean Dice of both phases"),
        Bar("late_solid_fraction_error", "<=", 0.01, "relative error of the solid fraction"),
    ),
    "soak": (
        Bar("rss_slope_mib_per_1000_slices", "<=", 10.0, "MiB of memory per 1000 slices"),
        Bar("rss_slope_over_error", "<=", 2.0, "of that over its standard error: 0 within error"),
        Bar("fd_growth", "<=", 0.0, "open files, last quarter over the first after the warm-up"),
        # Three voltages times ten faces in the network's window, three slices behind a hole that has to be
        # proved, the one with the hole, and the one that comes in.
        Bar("queue_max", "<=", 45.0, "images held at once"),
        Bar("balanced", "==", 1.0, "completed, every file in exactly one place"),
        Bar("lost", "==", 0.0, "messages that a subscriber did not hear"),
    ),
    "thickness": (
        Bar("rmse_nm", "<=", 0.3, "nm, realistic noise"),
        Bar("ratio_to_crb", "<=", 1.3, "over the Cramér–Rao bound"),
        Bar("chi2_dof", ">=", 0.8, "χ² per degree of freedom of the reported σ"),
        Bar("chi2_dof", "<=", 1.25, "χ² per degree of freedom of the reported σ"),
        Bar("cumulative_depth_error_nm", "<=", 1.0, "nm after 500 slices"),
        Bar("first_verdict_seconds", "<=", 2.0, "s from a complete file to the first thickness of its slice"),
    ),
    "throughput": (Bar("ratio_to_slowest_stage", ">=", 0.9, "of the rate of the slowest stage alone"),),
    "volume": (
        Bar("memory_growth_ratio", "<=", 1.1, "memory at the last plane over that after a quarter of them"),
    ),
}
"""By benchmark; one that is absent here has no bar to reach."""
