"""How long a generator takes for a face: the fast image, the network, the counting of electrons."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

from daemon.stages.segmenting import ZOO
from models.backscatter import network_response
from models.fast_image import fast_image, seen_planes
from models.gan_images import CARD_SEEDS, FaceDesign, below_face
from models.image_generator import generator_path, open_generator

SEED = CARD_SEEDS[20]
FACE = FaceDesign(side_px=512)
THREADS = 2


def seconds_per_face(voltage_kv: float, faces: int) -> float:
    """Of faces a voxel apart, two at once as `slicewatch synthesize slices` makes them, without opening."""
    voxels = below_face(FACE, voltage_kv, SEED)
    generator = open_generator(generator_path(ZOO, voltage_kv), threads=1)
    response = network_response(voltage_kv)

    def face(index: int) -> int:
        planes = seen_planes(voltage_kv, FACE.voxel_nm, len(voxels))
        rolled = (planes + index) % len(voxels)
        fast = fast_image(voxels[rolled], planes, FACE.voxel_nm, voltage_kv, response)
        counts = np.random.default_rng(index).binomial(FACE.electrons, generator(fast))
        return int(counts.sum())

    face(0)
    with ThreadPoolExecutor(THREADS) as pool:
        begun = perf_counter()
        list(pool.map(face, range(faces)))
        return (perf_counter() - begun) / faces
