"""Providers are started with options that ONNX Runtime knows; engines are kept in this user's cache."""

import onnxruntime
import pytest

from daemon.stages.segmenting import ZOO
from models import providers


def test_engines_are_kept_in_the_users_cache(tmp_path, monkeypatch):
    """TensorRT finds a folder that exists; computes exactly, as the export promises."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = providers.options(providers.TENSORRT)
    folder = tmp_path / "slicewatch" / "tensorrt"
    assert folder.is_dir()
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(folder)
    assert (options["trt_engine_cache_enable"], options["trt_fp16_enable"]) == ("1", "0")


def test_without_a_cache_engines_are_built_anew(tmp_path, monkeypatch):
    """A file in the folder's place keeps nothing from starting."""
    (tmp_path / "slicewatch").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert providers.options(providers.TENSORRT) == {"trt_fp16_enable": "0"}


@pytest.mark.skipif(
    providers.CUDA not in onnxruntime.get_available_providers(), reason="this build knows no CUDA options"
)
@pytest.mark.parametrize("provider", providers.ON_NVIDIA)
def test_a_session_takes_the_options_or_falls_back(provider, tmp_path, monkeypatch):
    """Where there is no GPU a session that is asked for one with them still starts, on the CPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = [(provider, dict(providers.options(provider))), providers.CPU]
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    session = onnxruntime.InferenceSession(ZOO / "unet_1kv.onnx", quiet, providers=asked)
    assert session.get_providers()[-1] == providers.CPU


@pytest.mark.parametrize("provider", [providers.CPU, "SomeOtherProvider"])
def test_others_are_started_as_onnx_runtime_does(provider):
    """No option is invented."""
    assert providers.options(provider) == {}
