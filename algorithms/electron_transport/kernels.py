"""The transport kernel, one source for CPU and CUDA (NVIDIA Warp).

Every electron draws from its own counter-based random numbers, Philox of (pixel, electron, step,
stream): what becomes of it does not depend on threads, chunks or the other electrons. One block of four
numbers serves one step: flight, kind of collision, polar angle, azimuth.

An electron ends when it has slowed down to the cut-off, when it has left through the face, or when it is
deeper than its remaining path: then it can end in no other way, so nothing is neglected.
"""
# Warp compiles the text of these functions; its own scalar types are no Python types to a type checker.
# pyright: basic, reportInvalidTypeForm=false, reportOperatorIssue=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportCallIssue=false
# pyright: reportReturnType=false, reportGeneralTypeIssues=false

import warp as wp

from algorithms.electron_transport.philox import philox, unit
from algorithms.electron_transport.target import Target, cell_at, rate, slope, way_out

wp.config.log_level = wp.LOG_ERROR

LONGEST = wp.constant(100_000)
"""Steps after which an electron is given up and counted as lost: vacuum without a way out."""
WHOLE_FLIGHTS = wp.constant(0.7)
"""A cube is worth using if the largest rate would make so many collisions on the way out of it."""
ABSORBED, ESCAPED, LOST = 0, 1, 2
_ABSORBED, _ESCAPED, _LOST = wp.constant(ABSORBED), wp.constant(ESCAPED), wp.constant(LOST)
_SCREENING = wp.constant(7.0e-3)
_RUNNING = wp.constant(-1)


@wp.struct
class Beam:
    """Energy, angle of incidence in the zy plane, rms radius, key of the random numbers; the detector takes
    what leaves within the angle around the beam's axis."""

    energy_kev: float
    cos_tilt: float
    sin_tilt: float
    sigma_nm: float
    cos_acceptance: float
    key_low: wp.uint32
    key_high: wp.uint32
    stream: wp.uint32


@wp.struct
class Raster:
    """Pixel (row, column) lies at ((row + ½)·row_nm, (column + ½)·column_nm)."""

    columns: int
    electrons: int
    row_nm: float
    column_nm: float


@wp.struct
class Electron:
    """One on its way: (z, y, x) in nm, what it has left and what it has left behind, how it ended."""

    position: wp.vec3
    direction: wp.vec3
    energy_kev: float
    deposited_kev: float
    path_nm: float
    deepest_nm: float
    collisions: int
    fate: int


@wp.struct
class Flight:
    """The next one: its length, rate and stopping of the phase and their slopes, the table's row."""

    length: float
    rate: float
    largest: float
    loss: float
    rate_slope: float
    loss_slope: float
    part: float
    row: int
    phase: int
    inside: bool
    collides: bool


@wp.func
def turned(direction: wp.vec3, cos_polar: float, azimuth: float):
    """The direction deflected by a polar angle, towards an azimuth (frame: Duff et al., JCGT 6, 2017)."""
    sin_polar = wp.sqrt(wp.max(0.0, 1.0 - cos_polar * cos_polar))
    x, y, z = direction[0], direction[1], direction[2]
    sign = wp.where(z >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = wp.vec3(1.0 + sign * x * x * a, sign * b, -sign * x)
    second = wp.vec3(b, sign + y * y * a, -y)
    across = first * wp.cos(azimuth) + second * wp.sin(azimuth)
    return wp.normalize(direction * cos_polar + across * sin_polar)


@wp.func
def deflection(share: float, energy_kev: float, kind: float, chance: float):
    """Cosine of the polar angle: screened Rutherford in ``share`` of the cases, else isotropic."""
    if kind >= share:
        return 1.0 - 2.0 * chance
    alpha = _SCREENING / energy_kev
    return 1.0 - 2.0 * alpha * chance / (1.0 + alpha - chance)


@wp.func
def follow(target: Target, electron: Electron, pixel: wp.uint32, number: wp.uint32, beam: Beam):
    """Follow one electron to its end."""
    step = wp.uint32(1)
    while electron.fate == _RUNNING:
        words = philox(pixel, number, step, beam.stream, beam.key_low, beam.key_high)
        electron = advance(target, electron, words)
        step = step + wp.uint32(1)
        if step > wp.uint32(LONGEST) and electron.fate == _RUNNING:
            electron.fate = _LOST
    return electron


@wp.func
def plan_flight(target: Target, electron: Electron, chance: float):
    """How far to fly from here, and whether all of it lies in one phase.

    A long way out of the cube: the phase's own rate, at most to the end of the cube. A short way:
    the largest rate of all phases, and whether the collision is real is decided where it happens.
    """
    h = target.voxel_nm
    place, heading = electron.position, electron.direction
    flight = Flight()
    entry = (wp.log(electron.energy_kev) - target.log_cutoff) * target.entries_per_log
    flight.row = wp.clamp(int(entry), 0, target.limits.shape[0] - 2)
    flight.part = entry - float(flight.row)
    vz, vy, vx = int(wp.floor(place[0] / h)), int(wp.floor(place[1] / h)), int(wp.floor(place[2] / h))
    cell = cell_at(target, vz, vy, vx)
    radius = cell >> 3
    flight.phase = cell & 7
    flight.rate = rate(target, flight.phase, flight.row, flight.part, 0)
    flight.loss = rate(target, flight.phase, flight.row, flight.part, 2)
    flight.loss_slope = slope(target, flight.phase, flight.row, 2) / electron.energy_kev
    flight.rate_slope = slope(target, flight.phase, flight.row, 0) / electron.energy_kev
    flight.largest = target.limits[flight.row, 0]
    out = wp.min(
        way_out(place[0], heading[0], vz, radius, h),
        wp.min(way_out(place[1], heading[1], vy, radius, h), way_out(place[2], heading[2], vx, radius, h)),
    )
    free = -wp.log(chance)
    flight.inside = out * flight.largest > WHOLE_FLIGHTS
    flight.collides = True
    flight.length = free / flight.largest
    if flight.inside:
        # The rate grows as the electron slows down: first order in the length.
        flight.length = free / wp.max(flight.rate, 1.0e-12)
        growth = -flight.rate_slope * flight.loss / wp.max(flight.rate, 1.0e-12)
        flight.length = flight.length / (1.0 + 0.5 * growth * flight.length)
        if flight.length > out:
            flight.length = out + 1.0e-4 * h
            flight.collides = False
    return flight


@wp.func
def advance(target: Target, electron: Electron, words: wp.vec4ui):
    """One flight, and the collision at its end unless that is virtual or the flight only left a cube."""
    flight = plan_flight(target, electron, unit(words[0]))
    down = electron.direction[0]
    surface = wp.where(down < 0.0, -electron.position[0] / wp.min(down, -1.0e-9), 1.0e30)
    leaves = flight.length >= surface
    length = wp.min(flight.length, surface)
    electron.position = electron.position + electron.direction * length
    if not flight.inside and not leaves:
        flight = arrived(target, flight, electron.position, electron.energy_kev)
    loss = flight.loss * (1.0 - 0.5 * flight.loss_slope * length)
    lost = wp.min(loss * length, electron.energy_kev)
    electron.path_nm = electron.path_nm + length
    electron.energy_kev = electron.energy_kev - lost
    electron.deposited_kev = electron.deposited_kev + lost
    electron.deepest_nm = wp.max(electron.deepest_nm, electron.position[0])
    # One number decides twice: below rate/largest the collision is real, and its rest is uniform again.
    kind = unit(words[1])
    if not flight.inside:
        kind = kind * flight.largest / wp.max(flight.rate - flight.rate_slope * lost, 1.0e-12)
    collides = flight.collides and kind < 1.0 and not leaves
    if collides:
        electron.collisions = electron.collisions + 1
    if electron.energy_kev <= target.cutoff_kev or electron.position[0] > target.limits[flight.row, 1]:
        electron.fate = _ABSORBED
    elif leaves:
        electron.fate = _ESCAPED
    elif collides:
        share = rate(target, flight.phase, flight.row, flight.part, 1)
        polar = deflection(share, electron.energy_kev, kind, unit(words[2]))
        electron.direction = turned(electron.direction, polar, 6.2831853 * unit(words[3]))
    return electron


@wp.func
def arrived(target: Target, flight: Flight, place: wp.vec3, energy_kev: float):
    """The flight with the phase at its end; it slowed down by the mean of both ends' stopping."""
    h = target.voxel_nm
    cell = cell_at(
        target, int(wp.floor(place[0] / h)), int(wp.floor(place[1] / h)), int(wp.floor(place[2] / h))
    )
    flight.phase = cell & 7
    flight.rate = rate(target, flight.phase, flight.row, flight.part, 0)
    flight.loss = 0.5 * (flight.loss + rate(target, flight.phase, flight.row, flight.part, 2))
    flight.rate_slope = slope(target, flight.phase, flight.row, 0) / energy_kev
    return flight


@wp.func
def started(beam: Beam, raster: Raster, pixel: int, number: int):
    """An electron of the beam at its pixel, on the face."""
    words = philox(
        wp.uint32(pixel), wp.uint32(number), wp.uint32(0), beam.stream, beam.key_low, beam.key_high
    )
    electron = Electron()
    spread = beam.sigma_nm * wp.sqrt(-2.0 * wp.log(unit(words[0])))
    azimuth = 6.2831853 * unit(words[1])
    electron.position = wp.vec3(
        0.0,
        (float(pixel // raster.columns) + 0.5) * raster.row_nm + spread * wp.sin(azimuth) / beam.cos_tilt,
        (float(pixel % raster.columns) + 0.5) * raster.column_nm + spread * wp.cos(azimuth),
    )
    electron.direction = wp.vec3(beam.cos_tilt, beam.sin_tilt, 0.0)
    electron.energy_kev = beam.energy_kev
    electron.fate = _RUNNING
    return electron


@wp.kernel(enable_backward=False)
def count_detected(
    target: Target, beam: Beam, raster: Raster, first_pixel: int, counts: wp.array(dtype=wp.int32)
):
    """Electrons that the detector takes, per pixel from ``first_pixel`` on."""
    thread = wp.tid()
    pixel = first_pixel + thread // raster.electrons
    number = thread % raster.electrons
    electron = follow(target, started(beam, raster, pixel, number), wp.uint32(pixel), wp.uint32(number), beam)
    axis = electron.direction[0] * beam.cos_tilt + electron.direction[1] * beam.sin_tilt
    if electron.fate == _ESCAPED and -axis >= beam.cos_acceptance:
        wp.atomic_add(counts, pixel - first_pixel, 1)


@wp.kernel(enable_backward=False)
def record_fates(
    target: Target,
    beam: Beam,
    raster: Raster,
    first_pixel: int,
    fates: wp.array(dtype=wp.int32),
    figures: wp.array2d(dtype=float),
):
    """The end of every electron: fate, and its energy, deposited energy, path, depth, collisions, -dz."""
    thread = wp.tid()
    pixel = first_pixel + thread // raster.electrons
    number = thread % raster.electrons
    electron = follow(target, started(beam, raster, pixel, number), wp.uint32(pixel), wp.uint32(number), beam)
    fates[thread] = electron.fate
    figures[thread, 0] = electron.energy_kev
    figures[thread, 1] = electron.deposited_kev
    figures[thread, 2] = electron.path_nm
    figures[thread, 3] = electron.deepest_nm
    figures[thread, 4] = float(electron.collisions)
    figures[thread, 5] = -electron.direction[0]
