"""The sample on the device: its cells, continued by reflection, and the rates of its phases."""
# Warp compiles the text of these functions; its own scalar types are no Python types to a type checker.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportCallIssue=false
# pyright: reportReturnType=false, reportGeneralTypeIssues=false

import warp as wp


@wp.struct
class Target:
    """Cells uint8 (z, y, x) of one voxel size, and the tables of their phases."""

    cells: wp.array3d(dtype=wp.uint8)
    voxel_nm: float
    rates: wp.array3d(dtype=float)
    limits: wp.array2d(dtype=float)
    log_cutoff: float
    entries_per_log: float
    cutoff_kev: float


@wp.func
def folded(index: int, size: int):
    """The index in a volume that is continued by reflection."""
    period = 2 * size
    rest = index - period * (index // period)
    if rest < 0:
        rest = rest + period
    if rest >= size:
        rest = period - 1 - rest
    return rest


@wp.func
def cell_at(target: Target, z: int, y: int, x: int):
    return int(
        target.cells[
            folded(z, target.cells.shape[0]),
            folded(y, target.cells.shape[1]),
            folded(x, target.cells.shape[2]),
        ]
    )


@wp.func
def way_out(place: float, step: float, voxel: int, reach_px: int, voxel_nm: float):
    """Distance along one axis to the end of a cube of 2·reach + 1 voxels."""
    far = wp.where(step > 0.0, float(voxel + reach_px + 1), float(voxel - reach_px)) * voxel_nm
    return (far - place) / wp.where(wp.abs(step) > 1.0e-6, step, wp.where(step > 0.0, 1.0e-6, -1.0e-6))


@wp.func
def rate(target: Target, phase: int, row: int, part: float, which: int):
    low = target.rates[phase, row, which]
    return low + part * (target.rates[phase, row + 1, which] - low)


@wp.func
def slope(target: Target, phase: int, row: int, which: int):
    """Change of a rate per e-fold of energy."""
    return (target.rates[phase, row + 1, which] - target.rates[phase, row, which]) * target.entries_per_log
