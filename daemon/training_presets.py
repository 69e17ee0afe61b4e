"""How networks are trained unless a file says otherwise: on rendered scenes, at length or quickly.

Imports torch, so it is imported only when a training starts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from daemon.operating_system import usable_cores
from daemon.training_file import FusionPlan, GanPlan, InpaintingPlan
from models.cycle_fitting import CycleRecipe
from models.evaluation import HeldOut
from models.fitting import Recipe
from models.gan_images import FaceDesign
from models.gan_training import GanSettings
from models.inpainting_training import InpaintingSettings
from models.material import TrainingSettings
from models.mimicking import MimickingSettings
from models.schedules import Cosine

START: Final = "models/zoo"
"""The networks to start from, beside slicewatch itself."""


def usual_fusion() -> FusionPlan:
    """How a network that segments is trained unless quickly."""
    return FusionPlan(usual_settings(), HeldOut())


def quick_fusion() -> FusionPlan:
    """Few scenes, narrow networks, few steps, and enough held-out faces to see that something was learned."""
    return FusionPlan(quick_settings(), HeldOut(runs=2, height=128, width=192, slices=6))


def usual_settings() -> TrainingSettings:
    """Those of the networks that shipped before Monte Carlo images were added to what they learn from;
    ``examples/montecarlo-training.toml`` made those that ship now.

    The late fusion takes some 26 minutes of one core, estimated from 0.36 s a step of 16 patches and voltage
    (AMD EPYC, 2026-11-27). The cards in ``models/zoo`` hold the settings of the networks beside them.
    """
    recipe = Recipe(
        batch=24,
        steps=30,
        epochs=20,
        learning_rate=1e-3,
        schedule=Cosine(),
        patience_epochs=20,
        cross_entropy_weight=1.0,
    )
    return TrainingSettings(
        recipe=recipe,
        joint_recipe=replace(recipe, epochs=12, learning_rate=5e-4, patience_epochs=12),
        fusion_recipe=replace(recipe, epochs=40, learning_rate=2e-3, patience_epochs=40),
        scenes=120,
        validation_scenes=6,
        ensemble_scenes=12,
        start_from=START,
        threads=_cores(),
    )


def quick_settings() -> TrainingSettings:
    """The same way with few scenes, narrow networks and few steps: a poor network within minutes."""
    recipe = Recipe(
        batch=32, steps=18, epochs=3, learning_rate=4e-3, schedule=Cosine(), cross_entropy_weight=1.0
    )
    return TrainingSettings(
        filters=8,
        volume_filters=6,
        recipe=recipe,
        joint_recipe=recipe,
        fusion_recipe=recipe,
        scenes=10,
        validation_scenes=2,
        ensemble_scenes=4,
        threads=_cores(),
    )


def shipped_inpainting() -> InpaintingPlan:
    """How the inpainting network is trained unless quickly."""
    return InpaintingPlan(InpaintingSettings(threads=_cores()))


def quick_inpainting() -> InpaintingPlan:
    """Few structures, a narrow network, few steps."""
    shipped = InpaintingSettings(threads=_cores())
    return InpaintingPlan(
        replace(
            shipped,
            volumes=MimickingSettings(structures=4),
            recipe=replace(shipped.recipe, steps=20, epochs=3),
            filters=8,
            validation_patches=64,
        )
    )


def shipped_gan() -> GanPlan:
    """How the generators are trained: 160 steps of 0.3 s for each voltage, and Monte Carlo images of 4 to
    25 s, on one free core (AMD EPYC, 2026-11-27). The best epoch is among the first.
    Batches are so small that a second thread waits more than it works."""
    face, recipe = FaceDesign(side_px=192), CycleRecipe(steps=20, epochs=8)
    return GanPlan(GanSettings(face=face, monte_carlo_images=5, recipe=recipe))


def quick_gan() -> GanPlan:
    """Few and noisy images, few steps: a generator that has hardly learned, within a minute."""
    recipe = CycleRecipe(steps=5, epochs=2)
    face = FaceDesign(side_px=64, electrons=10)
    return GanPlan(
        GanSettings(
            voltages_kv=(1.0,),
            face=face,
            fast_images=4,
            monte_carlo_images=2,
            validation_images=1,
            patch_px=64,
            filters=4,
            discriminator_filters=4,
            recipe=recipe,
        )
    )


def _cores() -> int:
    return usable_cores()
