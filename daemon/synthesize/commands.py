"""The command line of ``slicewatch synthesize``; what a command needs is imported inside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from daemon.picture import Picture
from daemon.synthesize.options import SAMPLES, Method, StructureKind

app = typer.Typer(
    help="Make virtual samples, their images, and data sets to learn from.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Out = Annotated[Path, typer.Argument(metavar="OUT", help="New folder for everything that is made.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")]
SIZE_TOLERANCE = 0.05
ENOUGH_PERIODS = 7
Json = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON object, last line of stdout.")]


@app.command()
def structure(
    out: Out,
    kind: Annotated[
        StructureKind, typer.Option(help="What the sample looks like.")
    ] = StructureKind.HIERARCHICAL,
    size: Annotated[
        tuple[int, int, int], typer.Option(metavar="Z Y X", help="Voxels; a cube is periodic.")
    ] = (256, 256, 256),
    voxel: Annotated[float | None, typer.Option(metavar="NM", help="Edge of a voxel.")] = None,
    solid_fraction: Annotated[
        float | None, typer.Option(min=0.01, max=0.9, help="Of the solid; of an electrode's particles.")
    ] = None,
    ligament: Annotated[
        list[float] | None,
        typer.Option(
            metavar="NM",
            help="Mean diameter: ligaments (repeat for coarse and fine), spheres; particles, pores, strands.",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """A structure as OME-Zarr, with a report of what was asked for and what came out."""
    from daemon.synthesize.designs import (
        DEFAULT_FRACTIONS,
        DEFAULT_SIZES_NM,
        DEFAULT_VOXELS_NM,
        Design,
    )
    from daemon.synthesize.structure import synthesize_structure

    design = Design(
        kind,
        size,
        DEFAULT_VOXELS_NM[kind] if voxel is None else voxel,
        DEFAULT_FRACTIONS[kind] if solid_fraction is None else solid_fraction,
        tuple(ligament or DEFAULT_SIZES_NM[kind]),
        seed,
    )
    report = synthesize_structure(design, out)
    if as_json:
        typer.echo(json.dumps({key: value for key, value in report.items() if key != "correlation"}))
        return
    asked, obtained = report["phase_fractions"].values()
    typer.echo(f"phase fractions: asked {_percent(asked)}, obtained {_percent(obtained)}")
    for level in report["networks"]:
        typer.echo(
            f"{level['network']}: asked {level['asked_nm']:.1f} nm, obtained {level['obtained_nm']:.1f} nm"
        )
        if abs(level["obtained_nm"] / level["asked_nm"] - 1) > SIZE_TOLERANCE:
            periods = max(size) * design.voxel_nm / level["wavelength_nm"]
            typer.echo(
                f"  the volume is {periods:.1f} wavelengths wide; {ENOUGH_PERIODS} and more keep to 5 %"
            )
    typer.echo(f"{out / 'structure.ome.zarr'}, structure.json and structure.png beside it")


@app.command()
def slices(
    out: Out,
    structure: Annotated[Path, typer.Option(metavar="OME.ZARR", help="structure.ome.zarr of a sample.")],
    method: Annotated[Method, typer.Option(help="How a face is photographed.")] = Method.MONTE_CARLO,
    voltage: Annotated[
        list[float] | None, typer.Option(metavar="KV", help="0.5 to 30; repeatable; default: 1, 2 and 4.")
    ] = None,
    slices: Annotated[int, typer.Option(min=1, help="Faces to photograph.")] = 10,
    thickness: Annotated[float, typer.Option(metavar="NM", min=0.1, help="Of a slice.")] = 10.0,
    thickness_sigma: Annotated[
        float, typer.Option(metavar="NM", min=0.0, help="Above 0: gamma-distributed, in whole voxels.")
    ] = 0.0,
    material: Annotated[
        list[str] | None,
        typer.Option(help="Of every phase: a name, or FORMULA@DENSITY; default: epoxy, gold."),
    ] = None,
    electrons: Annotated[
        int, typer.Option(min=1, help="Monte Carlo and gan: sent at every pixel; the image has their noise.")
    ] = 30,
    pixel: Annotated[
        float | None, typer.Option(metavar="NM", min=0.1, help="Default: a voxel of the structure.")
    ] = None,
    tilt: Annotated[float, typer.Option(metavar="DEG", help="Of the beam against the face's normal.")] = 0.0,
    beam_sigma: Annotated[float, typer.Option(metavar="NM", help="Rms radius of the beam.")] = 0.5,
    acceptance: Annotated[
        float, typer.Option(metavar="DEG", help="Half angle of the detector; 90: all, in-lens: about 18.")
    ] = 90.0,
    generators: Annotated[
        Path | None, typer.Option(metavar="DIR", help="gan: of slicewatch train gan; default: models/zoo.")
    ] = None,
    seed: Seed = 0,
    threads: Annotated[int, typer.Option(min=0, help="0: one per core.")] = 0,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Let the workers of a Dask cluster do it.")
    ] = None,
) -> None:
    """Backscattered-electron images of a structure's slices; killed and started again, it goes on."""
    import numpy as np

    from daemon.stages.segmenting import ZOO
    from daemon.synthesize.exposure_plan import (
        ExposurePlan,
        load_structure,
        mimicking_depths_nm,
        regular_depths_nm,
    )
    from daemon.synthesize.slices import Labour, synthesize_slices
    from models.image_generator import generators_sha256

    sample = load_structure(structure)
    voxel_nm = sample.voxel_nm
    rng = np.random.default_rng(seed)
    depths_nm = (
        mimicking_depths_nm(slices, thickness, thickness_sigma, voxel_nm, rng)
        if thickness_sigma
        else regular_depths_nm(slices, thickness, voxel_nm)
    )
    voltages_kv, trained = tuple(voltage or (1.0, 2.0, 4.0)), (generators or ZOO).resolve()
    is_trained = method is Method.GAN
    plan = ExposurePlan(
        structure=str(structure.resolve()),
        structure_sha256=sample.sha256,
        method=method,
        voltages_kv=voltages_kv,
        depths_nm=depths_nm,
        materials=tuple(material or ("epoxy", "gold")),
        electrons=electrons,
        pixel_nm=pixel or voxel_nm,
        tilt_deg=tilt,
        beam_sigma_nm=beam_sigma,
        acceptance_deg=acceptance,
        seed=seed,
        generators=str(trained) if is_trained else "",
        generators_sha256=generators_sha256(trained, voltages_kv) if is_trained else (),
    )
    synthesize_slices(plan, out, Labour(threads, scheduler) if threads else Labour(scheduler=scheduler))
    typer.echo(f"{out}: {', '.join(f'{name}.ome.zarr' for name in plan.names)}, slices.json, slices.png")


@app.command()
def dataset(
    out: Out,
    slices: Annotated[int, typer.Option(min=2, help="Faces.")] = 40,
    size: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Image size in px.")] = (384, 512),
    thickness: Annotated[float, typer.Option(metavar="NM", min=0.1, help="Mean, gamma-distributed.")] = 10.16,
    sigma: Annotated[float, typer.Option(metavar="NM", min=0.01, help="Standard deviation of it.")] = 3.12,
    grid: Annotated[
        float, typer.Option(metavar="NM", min=0.0, help="Whole multiples of it (mimicking); 0: any.")
    ] = 2.5,
    solid_fraction: Annotated[float, typer.Option(min=0.04, max=0.36)] = 0.125,
    ligament: Annotated[tuple[float, float], typer.Option(metavar="NM NM", help="Coarse and fine.")] = (
        110.0,
        15.0,
    ),
    redeposition: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Film at the face's lower edge, share of the signal.")
    ] = 0.05,
    picture: Annotated[Picture, typer.Option(help="How the beam sees the sample.")] = Picture.NETWORK,
    project: Annotated[bool, typer.Option(help="Write the microscope's project too.")] = True,
    seed: Seed = 0,
) -> None:
    """Matched images with truth, as OME-Zarr and as a microscope's project, versioned by their content."""
    from rich.console import Console

    from daemon.emulator.settings import EmulatorSettings, MillingDesign, SampleDesign
    from daemon.synthesize.dataset import synthesize_dataset

    settings = EmulatorSettings(
        slices=slices,
        height=size[0],
        width=size[1],
        seed=seed,
        picture=picture,
        milling=MillingDesign(mean_nm=thickness, sigma_nm=sigma, grid_nm=grid),
        sample=SampleDesign(
            solid_fraction=solid_fraction,
            coarse_ligament_nm=ligament[0],
            fine_ligament_nm=ligament[1],
            redeposition=redeposition,
        ),
    )
    console = Console(stderr=True, highlight=False)
    manifest = synthesize_dataset(
        settings, out, project=project, told=lambda done, all_: console.print(f"slice {done} of {all_}")
    )
    typer.echo(f"{out}: version {manifest['version']}, dataset.json says what it is")


@app.command("runs")
def labelled_runs(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the runs; one begun goes on.")],
    runs: Annotated[int, typer.Option(min=1, max=SAMPLES, help="Each of a sample of its own.")] = 8,
    first: Annotated[
        int, typer.Option(min=1, max=SAMPLES, help="Sample to begin with, so that several starts share them.")
    ] = 1,
    size: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Of a face, in px.")] = (96, 208),
    slices: Annotated[int, typer.Option(min=2, help="Of a run; a training looks at seven together.")] = 11,
    voltage: Annotated[
        list[float] | None, typer.Option(metavar="KV", help="0.5 to 30; repeatable; default: 1, 2 and 4.")
    ] = None,
    electrons: Annotated[int, typer.Option(min=1, help="Sent at every pixel.")] = 60,
    voxels_per_pixel: Annotated[
        int, typer.Option(min=1, max=9, help="Of the sample, across a pixel; odd: the face is exact.")
    ] = 3,
) -> None:
    """Monte Carlo runs with labels, to train or fine-tune a network with; needs Warp, and minutes a run."""
    from rich.console import Console

    from daemon.emulator.electron_run import ElectronRun
    from daemon.synthesize.labelled_runs import synthesize_runs
    from models.evaluation import HeldOut

    if first - 1 + runs > SAMPLES:
        raise typer.BadParameter(f"there are {SAMPLES} samples: {runs} from sample {first} on are too many")
    voltages_kv = tuple(voltage or (1.0, 2.0, 4.0))
    held_out = HeldOut(runs=1, height=size[0], width=size[1], slices=slices, voltages_kv=voltages_kv)
    console = Console(stderr=True, highlight=False)
    samples = range(first - 1, first - 1 + runs)
    wanted = ElectronRun(held_out, electrons, voxels_per_pixel)
    training = synthesize_runs(wanted, out, samples, console.print)
    typer.echo(f"{training}: give it to `slicewatch train` with --config; a later start writes it anew")


@app.command()
def backscatter(
    out: Out,
    electrons: Annotated[int, typer.Option(min=100, help="Of every run.")] = 20_000,
    threads: Annotated[int, typer.Option(min=1, help="Runs at once.")] = 2,
    seed: Seed = 0,
) -> None:
    """Simulate bulk materials under epoxy and train the network of the fast image on them."""
    from daemon.synthesize.backscatter import train_backscatter

    fit = train_backscatter(out, electrons=electrons, threads=threads, seed=seed)
    typer.echo(
        f"{out / 'backscatter.npz'}: error {fit.held_out_rms:.4f} on runs held out "
        f"(that of the runs is {fit.noise:.4f})"
    )


def _percent(shares: list[float]) -> str:
    return " / ".join(f"{100 * share:.2f} %" for share in shares)
