"""What a run leaves as arrays: the volume's planes, the labels of every face, what was seen of them."""

from __future__ import annotations

from typing import Any

from daemon.config import as_toml_table
from daemon.example_faces import is_kept, keep_example
from daemon.face_images import keep_face_images
from daemon.geometry import FaceGeometry
from daemon.items import Planes, SegmentedSlice
from daemon.outputs import open_faces
from daemon.stages.segmenting import FaceStack
from daemon.station import Station
from daemon.summary import provenance
from daemon.volume_store import VolumeStore, open_volume


class ArrayOutputs:
    """Writes arrays at once; written again after a restart they do not change.

    Every method raises ``StoreError`` when the disk is full or gone.
    """

    def __init__(self, station: Station) -> None:
        self._station = station

    def planes(self, planes: Planes, shape_yx: tuple[int, int], grid_nm: float) -> None:
        """Final planes of the volume, in order."""
        self._volume(shape_yx, grid_nm).append(planes.first, planes.labels)

    def labels(self, order: int, face: SegmentedSlice) -> None:
        """The labels of the ``order``-th final face, in native pixels."""
        shape = (face.labels.shape[0], face.labels.shape[1])
        open_faces(self._station.outputs, shape).write(order, face.labels[None])

    def images(self, order: int, geometry: FaceGeometry, face: FaceStack, segmented: SegmentedSlice) -> None:
        """What was seen of the ``order``-th final face: its certainty, what is configured, an example."""
        station = self._station
        keep_face_images(
            station.outputs, station.configuration, geometry, order, (face, segmented), self._made_by()
        )
        if is_kept(order):
            seen = dict(zip(station.configuration.channel_names, face.images, strict=True))
            keep_example(station.outputs.example_faces, face.index, seen, segmented.labels)

    def close(self) -> None:
        """Let the volume have what it still holds back."""
        if self._station.volume.store is not None:
            self._station.volume.store.close()

    def _volume(self, shape_yx: tuple[int, int], grid_nm: float) -> VolumeStore:
        volume, outputs, spec = self._station.volume, self._station.outputs, self._station.segmenter.spec
        if volume.store is None:
            volume.store = open_volume(outputs.volume, shape_yx, grid_nm, spec.classes, self._made_by())
        return volume.store

    def _made_by(self) -> dict[str, Any]:
        """What stands in the metadata of stored images."""
        made_by = provenance(self._station.journal.run_id, self._station.segmenter, self._station.filling)
        return {**made_by, "configuration": as_toml_table(self._station.configuration)}
