"""The registration of five other packages behind one signature: (reference, moving) → (dy, dx) as ours."""

from collections.abc import Callable
from typing import Any, cast

import cv2
import numpy as np
import SimpleITK
from numpy.typing import NDArray
from pystackreg import StackReg
from skimage.registration import phase_cross_correlation

Picture = NDArray[np.float32]
Register = Callable[[Picture, Picture], tuple[float, float]]


def by_scikit_image(reference: Picture, moving: Picture) -> tuple[float, float]:
    found = cast(Any, phase_cross_correlation)(
        reference - reference.mean(), moving - moving.mean(), normalization=None, upsample_factor=100
    )
    return float(found[0][0]), float(found[0][1])


def by_pystackreg(reference: Picture, moving: Picture) -> tuple[float, float]:
    matrix = StackReg(StackReg.TRANSLATION).register(reference, moving)
    return -float(matrix[1, 2]), -float(matrix[0, 2])


def by_opencv_phase(reference: Picture, moving: Picture) -> tuple[float, float]:
    window = cv2.createHanningWindow((reference.shape[1], reference.shape[0]), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(reference, moving, window)
    return -float(dy), -float(dx)


def by_opencv_ecc(reference: Picture, moving: Picture) -> tuple[float, float]:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-7)
    start = np.eye(2, 3, dtype=np.float32)
    ecc = cast(Any, cv2.findTransformECC)
    _, warp = ecc(reference, moving, start, cv2.MOTION_TRANSLATION, criteria, None, 5)
    return -float(warp[1, 2]), -float(warp[0, 2])


def by_simple_itk(reference: Picture, moving: Picture) -> tuple[float, float]:
    method = cast(Any, SimpleITK).ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 100)
    method.SetInterpolator(cast(Any, SimpleITK).sitkLinear)
    method.SetInitialTransform(cast(Any, SimpleITK).TranslationTransform(2), inPlace=False)
    pictures = [cast(Any, SimpleITK).GetImageFromArray(p) for p in (reference, moving)]
    dx, dy = method.Execute(*pictures).GetParameters()
    return -float(dy), -float(dx)


PEERS: dict[str, Register] = {
    "scikit-image": by_scikit_image,
    "pystackreg": by_pystackreg,
    "OpenCV phase": by_opencv_phase,
    "OpenCV ECC": by_opencv_ecc,
    "SimpleITK": by_simple_itk,
}
