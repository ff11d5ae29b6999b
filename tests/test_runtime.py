"""Which interpreter is taken, and what is said of those that are not."""

import sys
import types

import pytest
from edgetpu_stand_in import write_model

from deepgbass.errors import UserError
from deepgbass.ondevice.model import OnDeviceModel
from deepgbass.ondevice.runtime import Runtime, find_runtime


@pytest.fixture
def hide(monkeypatch):
    """Makes modules impossible to import."""

    def hide(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return hide


def test_litert_comes_first():
    runtime = find_runtime()
    assert runtime.name == "ai-edge-litert" and not runtime.passed_over
    assert str(runtime).startswith("ai-edge-litert 2.")


def test_the_older_package_takes_over_and_says_so(hide, monkeypatch, tmp_path):
    ours = find_runtime().module
    hide("ai_edge_litert.interpreter")
    package = types.ModuleType("tflite_runtime")
    package.interpreter = ours
    monkeypatch.setitem(sys.modules, "tflite_runtime", package)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", ours)
    runtime = find_runtime()
    assert runtime.name == "tflite-runtime"
    assert list(runtime.passed_over) == ["ai-edge-litert"]
    write_model(tmp_path / "toy.tflite")
    assert OnDeviceModel(tmp_path / "toy.tflite").size == (8, 12)


def test_none_at_all_says_what_to_install(hide):
    hide("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
    hide("tensorflow.lite.python.interpreter", "tensorflow")
    with pytest.raises(UserError, match=r"deepgbass\[coral\]") as caught:
        find_runtime()
    assert "tflite-runtime" in str(caught.value)


@pytest.mark.parametrize("xnnpack", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_kernels_do_not_change_what_is_computed(
    tmp_path, threads, xnnpack
):
    import numpy as np

    path = tmp_path / "toy.tflite"
    write_model(path)
    model = OnDeviceModel(path, threads=threads, xnnpack=xnnpack)
    image = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
    np.testing.assert_array_equal(model(image), image.astype(int) - 128)


@pytest.mark.parametrize(
    ("xnnpack", "resolver"),
    [(True, "AUTO"), (False, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")],
)
def test_kernels_and_threads_are_asked_for(xnnpack, resolver):
    real = find_runtime().module
    fake = types.SimpleNamespace(
        Interpreter=lambda path, **options: options,
        OpResolverType=real.OpResolverType,
    )
    runtime = Runtime("fake", "1", {}, fake)
    options = runtime.interpreter("m", threads=3, xnnpack=xnnpack)
    assert options["num_threads"] == 3
    assert options["experimental_op_resolver_type"].name == resolver
    assert options["experimental_delegates"] is None


@pytest.mark.slow
def test_tensorflows_interpreter_is_the_last_one(tmp_path):
    runtime = find_runtime(("tensorflow",))
    path = tmp_path / "toy.tflite"
    write_model(path)
    with pytest.warns(UserWarning, match="deprecated"):
        assert OnDeviceModel(path, runtime=runtime).size == (8, 12)
