"""What a training on annotated slices brought: the networks before and after it, on slices held back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from algorithms.scores import mean_dice
from models.annotation import AnnotatedSlice, judged
from models.material import TrainingSettings
from models.session import Segmenter, open_segmenter
from models.starting import start_file


@dataclass(frozen=True, slots=True)
class Refinement:
    """Mean Dice on annotated pixels, of the network of this name to start from (None: there was none) and of
    the trained one; NaN where one phase is missing altogether."""

    before: float | None
    after: float

    def __str__(self) -> str:
        before = "no network to start from" if self.before is None else f"{self.before:.4f}"
        return f"{before} → {self.after:.4f}"


def refinements(
    settings: TrainingSettings, trained: Mapping[str, Segmenter], slices: Sequence[AnnotatedSlice]
) -> dict[str, Refinement]:
    """Of each trained network, by name."""
    found: dict[str, Refinement] = {}
    for name, after in trained.items():
        channels = [settings.voltages_kv.index(voltage) for voltage in after.spec.voltages_kv]
        before = _network_before(settings, name, after)
        found[name] = Refinement(
            None if before is None else mean_dice(judged(before, slices, channels)),
            mean_dice(judged(after, slices, channels)),
        )
    return found


def _network_before(settings: TrainingSettings, name: str, after: Segmenter) -> Segmenter | None:
    path = start_file(settings, name)
    if not (settings.start_from and path.is_file()):
        return None
    before = open_segmenter(path, threads=settings.threads)
    return before if before.spec.voltages_kv == after.spec.voltages_kv else None
