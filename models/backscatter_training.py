"""Training of the backscatter network on simulated runs, and its card. Needs torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from algorithms.backscatter_formula import VALID_KEV, hunger_kuechler
from models.backscatter import HIDDEN, BackscatterNetwork, normalised, save_network
from models.backscatter_runs import BulkRuns

EPOCHS = 6000
HIGHEST_RATE, LOWEST_RATE = 1e-2, 1e-5
HELD_OUT_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Fit:
    """A trained network, and its root mean square error on what it learned from and on what it did not;
    ``noise`` is the statistical error of the runs themselves."""

    network: BackscatterNetwork
    training_rms: float
    held_out_rms: float
    noise: float


def fit_network(runs: BulkRuns, *, epochs: int = EPOCHS, seed: int = 0) -> Fit:
    """Fit by mean squared error with Adam, its rate falling along a cosine; some runs are held out."""
    torch.manual_seed(seed)
    held_out = np.random.default_rng(seed).random(len(runs.eta)) < HELD_OUT_SHARE
    inputs = torch.tensor(normalised(runs.inputs), dtype=torch.float32)
    wanted = torch.tensor(runs.eta, dtype=torch.float32)
    learn = torch.tensor(~held_out)
    widths = (3, *HIDDEN)
    parts: list[nn.Module] = []
    for before, after in zip(widths, HIDDEN, strict=False):
        parts += [nn.Linear(before, after), nn.SiLU()]
    model = nn.Sequential(*parts, nn.Linear(HIDDEN[-1], 1))
    optimiser = torch.optim.Adam(model.parameters(), lr=HIGHEST_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs, LOWEST_RATE)
    for _ in range(epochs):
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(model(inputs[learn])[:, 0], wanted[learn])
        loss.backward()
        optimiser.step()
        schedule.step()
    network = BackscatterNetwork(tuple(_numbers(part) for part in model if isinstance(part, nn.Linear)))
    errors = network.eta(runs.inputs) - runs.eta
    noise = np.sqrt(np.mean(runs.eta * (1 - runs.eta)) / runs.electrons)
    return Fit(network, _rms(errors[~held_out]), _rms(errors[held_out]), float(noise))


def write_network(fit: Fit, runs: BulkRuns, out: Path, command: str, date: str) -> None:
    """Write ``backscatter.npz``, its card ``backscatter.md``, and the runs it learned from."""
    save_network(fit.network, out / "backscatter.npz")
    np.savez_compressed(
        out / "backscatter_runs.npz", inputs=runs.inputs, eta=runs.eta, electrons=np.int64(runs.electrons)
    )
    (out / "backscatter.md").write_text(_card(fit, runs, command, date), encoding="utf-8")


def _numbers(layer: nn.Linear) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()


def _rms(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _card(fit: Fit, runs: BulkRuns, command: str, date: str) -> str:
    rows = [
        f"| {kev:g} | {float(fit.network.eta(np.array([[79.0, kev, 0.0]]))[0]):.3f} | "
        + (f"{hunger_kuechler(79, kev):.3f}" if kev >= VALID_KEV[0] else "below its range")
        + f" | {float(fit.network.eta(np.array([[79.0, kev, 50.0]]))[0]):.3f} |"
        for kev in (1.0, 2.0, 4.0, 10.0)
    ]
    voltages = sorted(set(runs.inputs[:, 1].tolist()))
    return f"""# Backscatter network

Backscattered electrons per incident one for bulk material under epoxy, from mean atomic number, voltage (kV)
and depth of burial (nm). It gives the fast image its depth response.

## Use

`models.backscatter.shipped_network().eta(rows)`; 3 inputs, hidden layers 16-32-32-32, SiLU, 1 output; numpy.

## Figures

Root mean square error: {fit.training_rms:.4f} on the runs it learned from, {fit.held_out_rms:.4f} on the
{100 * HELD_OUT_SHARE:.0f} % held out; the statistical error of the runs themselves is {fit.noise:.4f}.

| kV | gold | Hunger & Küchler | gold under 50 nm of epoxy |
|---|---|---|---|
{chr(10).join(rows)}

## Limits

- Atomic numbers {runs.inputs[:, 0].min():.1f} to {runs.inputs[:, 0].max():.1f}, {voltages[0]:g} to
  {voltages[-1]:g} kV, depths 0 to 190 nm, normal incidence, all backscattered electrons above 50 eV.
- As good as the simulation it learned from (docs/synthesize.md).

## Making

`{command}`, {date}: {len(runs.eta)} runs of {runs.electrons} electrons.
"""
