"""The command line (**contract**, DESIGN §4). Each command parses, calls one function, and says how it went.

What a command needs is imported inside it: ``slicewatch run`` starts fast and never imports torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from daemon import __version__
from daemon.adapt.command import adapt
from daemon.analyse.options import analyse
from daemon.archive_commands import compare, reprocess
from daemon.command_options import ConfigPath, Connect, Json, Keys, leave
from daemon.domain_command import domain
from daemon.keys_command import keys_app
from daemon.logs import configure_logs
from daemon.network_commands import evaluate_app, shrink
from daemon.picture import Picture
from daemon.safety_commands import abort, watchdog
from daemon.sample_kind import SampleKind, Vendor
from daemon.synthesize.commands import app as synthesize_app
from daemon.training_command import train

app = typer.Typer(
    name="slicewatch",
    help="Watches a FIB-SEM tomography while it runs, and stops it when the milling drifts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(synthesize_app, name="synthesize")
app.add_typer(keys_app, name="keys")
app.add_typer(evaluate_app, name="evaluate")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"slicewatch {__version__}")
        raise typer.Exit


def _print_faults(wanted: bool) -> None:
    if wanted:
        from daemon.demo import fault_lines

        typer.echo("\n".join(fault_lines()))
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every detail.")] = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Log to a file (JSON lines, rotated) instead of stderr."),
    ] = None,
) -> None:
    """Watches a FIB-SEM tomography while it runs, and stops it when the milling drifts."""
    configure_logs(verbose=verbose, file=log)


@app.command()
def run(
    config: ConfigPath,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Go on with a changed configuration if what was computed stays right; else it is refused.",
        ),
    ] = False,
) -> None:
    """Watch an acquisition until it is complete, stopped or aborted."""
    from daemon.service import run_daemon

    leave(run_daemon(config, follow=True, accept_changes=accept_changes))


app.command()(reprocess)
app.command()(compare)


@app.command()
def demo(
    slices: Annotated[int, typer.Option(min=2, help="Slices to mill.")] = 40,
    size: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Image size in px.")] = (384, 512),
    workdir: Annotated[
        Path | None, typer.Option(help="Where to put everything; default: a new folder.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the emulated sample and microscope.")] = 1,
    headless: Annotated[bool, typer.Option("--headless", help="No monitor; ends by itself.")] = False,
    picture: Annotated[
        Picture, typer.Option(help="How the beam sees the sample; montecarlo needs Warp and minutes.")
    ] = Picture.NETWORK,
    sample: Annotated[SampleKind, typer.Option(help="What is milled; an electrode has two detectors.")] = (
        SampleKind.GOLD
    ),
    as_json: Json = False,
) -> None:
    """Watch an emulated microscope at work: emulator, daemon and monitor, nothing to set up."""
    from daemon.demo import run_demo

    summary = run_demo(
        slices=slices,
        size=size,
        workdir=workdir,
        seed=seed,
        headless=headless,
        quiet=as_json,
        picture=picture,
        sample=sample,
    )
    if as_json:
        typer.echo(json.dumps(summary))


@app.command()
def emulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Project folder to write; must be new.")],
    slices: Annotated[int, typer.Option(min=1, help="Slices to mill.")] = 40,
    size: Annotated[tuple[int, int], typer.Option(metavar="H W", help="Image size in px.")] = (384, 512),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same sample and images.")] = 0,
    interval: Annotated[float, typer.Option(min=0.0, help="Seconds from slice to slice; 0: no pause.")] = 0.0,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="KIND@SLICE", help="A fault; repeatable.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Where to keep the truth.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Where to write a fitting configuration.")
    ] = None,
    picture: Annotated[
        Picture, typer.Option(help="How the beam sees the sample; montecarlo needs Warp and minutes.")
    ] = Picture.NETWORK,
    sample: Annotated[SampleKind, typer.Option(help="What is milled; an electrode has two detectors.")] = (
        SampleKind.GOLD
    ),
    metadata: Annotated[Vendor, typer.Option(help="Whose words the image files speak.")] = Vendor.FEI,
    _list_faults: Annotated[
        bool,
        typer.Option(
            "--list-faults", callback=_print_faults, is_eager=True, help="List the faults and exit."
        ),
    ] = False,
) -> None:
    """Write an Auto Slice & View project as a microscope would."""
    from daemon.demo import emulate_project

    emulate_project(
        folder,
        slices=slices,
        size=size,
        seed=seed,
        interval_s=interval,
        faults=fault or [],
        truth=truth,
        config=config,
        picture=picture,
        sample=sample,
        vendor=metadata,
    )


@app.command()
def monitor(
    connect: Annotated[
        list[str] | None, typer.Option(metavar="ENDPOINT", help="publish.control; repeat it for several.")
    ] = None,
    events: Annotated[
        list[str] | None, typer.Option(metavar="ENDPOINT", help="publish.events, one for each --connect.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address that the page is served on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port that the page is served on.")] = 8050,
    keys: Keys = None,
    password: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask for it: 'slicewatch keys password FILE'.")
    ] = None,
    certificate: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="CERT.pem KEY.pem", help="Serve the page as HTTPS.")
    ] = None,
) -> None:
    """Serve the dashboard of one or several daemons; to command, log in by the link that it prints."""
    from daemon.keys import read_client_key
    from daemon.monitor.server import Tls, daemons_at, run_monitor
    from daemon.passwords import read_password

    run_monitor(
        daemons_at(connect or [], events or []),
        host,
        port,
        key=read_client_key(keys),
        password=read_password(password) if password else None,
        tls=Tls(*certificate) if certificate else None,
    )


@app.command()
def status(connect: Connect = "tcp://127.0.0.1:5556", keys: Keys = None, as_json: Json = False) -> None:
    """Show what a running daemon is doing."""
    from daemon.status import print_status

    print_status(connect, keys, as_json=as_json)


for _command in (watchdog, abort, shrink, domain, analyse):
    app.command()(_command)


@app.command()
def check(config: ConfigPath) -> None:
    """Check configuration, folder, model, hardware, disk and sockets; a line each, with the remedy."""
    from daemon.checks import print_checks

    raise typer.Exit(0 if print_checks(config) else 1)


@app.command()
def calibrate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Project folder with the first slices.")],
    draw: Annotated[
        Path | None, typer.Option(metavar="PNG", help="The first image with all that was found.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="OUT.toml", help="Where to write it; default: shown only.")
    ] = None,
    reference: Annotated[
        float | None, typer.Option(metavar="KV", help="Reference voltage; default: the middle one.")
    ] = None,
    target_thickness: Annotated[
        float | None, typer.Option(metavar="NM", min=0.1, help="Default: as the project says, else 10 nm.")
    ] = None,
) -> None:
    """Propose channels, fiducials, ruler and region of interest from the first slices."""
    from daemon.calibrate import calibrate as look
    from daemon.calibrate import print_proposal

    found = look(folder, picture=draw, config=config, reference_kv=reference, target_nm=target_thickness)
    print_proposal(found, with_table=config is None)


@app.command()
def report(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT_DIR", help="run.output of a run.")],
) -> None:
    """Write the self-contained HTML report of a run, PNG figures beside it."""
    from daemon.report import write_report

    typer.echo(f"report: {write_report(output)}")


@app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT_DIR", help="run.output of a run.")],
    tiff: Annotated[Path | None, typer.Option(metavar="FILE.tif", help="A calibrated ImageJ stack.")] = None,
    mesh: Annotated[
        Path | None, typer.Option(metavar="FILE.stl", help="The solid's surface; .stl or .ply.")
    ] = None,
    level: Annotated[int, typer.Option(min=0, help="Pyramid level; 0 is the full resolution.")] = 0,
) -> None:
    """Write the volume for other programs."""
    from daemon.export import export as export_volume

    for line in export_volume(output, tiff=tiff, mesh=mesh, level=level):
        typer.echo(line)


@app.command()
def metrics(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT_DIR", help="run.output of a run.")],
    patch: Annotated[
        int,
        typer.Option(min=0, metavar="PX", help="Mean over patches, as published (256); 0: the region."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Count the figures of a stored volume anew, on the whole region or in patches."""
    from daemon.measure import print_metrics

    print_metrics(output, patch, as_json=as_json)


app.command()(train)
app.command()(adapt)
