"""Which hardware ONNX Runtime can really use here.

``onnxruntime.get_available_providers`` names what was compiled in, not what works: asked for CUDA
without a driver, a session silently runs on the CPU. So the driver is asked first.
"""

import ctypes
from collections.abc import Sequence

import onnxruntime

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


def obstacle(provider: str) -> str | None:
    """Why this provider cannot run here, or None if nothing speaks against it."""
    if provider not in onnxruntime.get_available_providers():
        return "this build of ONNX Runtime does not contain it"
    if provider == CUDA:
        return _cuda_obstacle()
    if provider == TENSORRT:
        return _cuda_obstacle() or _library_obstacle("libnvinfer.so.10")
    return None


def usable(requested: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The requested providers that can be tried, in order, and the reason against each other one."""
    reasons = {provider: reason for provider in requested if (reason := obstacle(provider))}
    return tuple(provider for provider in requested if provider not in reasons), reasons


def _cuda_obstacle() -> str | None:
    missing = _library_obstacle("libcuda.so.1")
    if missing:
        return missing
    driver = ctypes.CDLL("libcuda.so.1")
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value == 0:
        return "the NVIDIA driver finds no GPU"
    return None


def _library_obstacle(name: str) -> str | None:
    try:
        ctypes.CDLL(name)
    except OSError:
        return f"the library {name} cannot be loaded"
    return None
