"""Which hardware ONNX Runtime can really use here.

``onnxruntime.get_available_providers`` names what was compiled in, not what works: asked for CUDA
without a driver, a session silently runs on the CPU. So the driver is asked first.
"""

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnxruntime

from models.cache import cache_folder

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
ON_NVIDIA = (CUDA, TENSORRT)
"""Their tensors lie in the memory that ONNX Runtime calls ``cuda``."""

_CUDA_OPTIONS = {
    "arena_extend_strategy": "kSameAsRequested",  # the GPU is shared: no doubling of what is needed
    "cudnn_conv_algo_search": "EXHAUSTIVE",  # paid once, for tiles of one image have one shape
    "use_tf32": "0",  # its 10 bits of mantissa would not keep the 1e-4 that the export promises
}


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


def options(provider: str) -> Mapping[str, str]:
    """How a provider is to be started; empty where ONNX Runtime's own choice is right."""
    if provider == CUDA:
        return _CUDA_OPTIONS
    if provider == TENSORRT:
        return _tensorrt_options(cache_folder() / "tensorrt")
    return {}


def _tensorrt_options(folder: Path) -> Mapping[str, str]:
    """Engines, which take minutes to build, are kept; where they cannot be, each start builds them anew."""
    exact = {"trt_fp16_enable": "0"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return exact
    return exact | {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


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
