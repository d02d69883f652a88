"""8-bit integers: a smaller file that answers nearly alike, for the same input and with the same words about itself."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from evolution_core.architectures import build
from evolution_core.export import export_onnx, quantize
from evolution_core.measurement.latency import session
from evolution_core.spec import NetworkError


def exported(name: str, shape: tuple[int, int, int], width: float = 0.5) -> bytes:
    model = build(name, 4, shape, width, 0).eval()
    return export_onnx(model, shape, classes=["a", "b", "c", "d"])


def noise(shape: tuple[int, int, int], count: int = 24) -> np.ndarray:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0)).numpy()


def answers(content: bytes, images: np.ndarray) -> np.ndarray:
    return session(content).run(None, {"image": images})[0]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("lenet5", (1, 28, 28)), ("alexnet-small", (3, 32, 32)), ("resnet20", (3, 32, 32)), ("tiny-yolov2", (3, 64, 64))],
)
def test_it_is_smaller_and_answers_nearly_alike(name, shape):
    whole, images = exported(name, shape), noise(shape)
    small = quantize(whole, images.reshape(3, 8, *shape))
    assert len(small) < 0.5 * len(whole)
    wanted, found = answers(whole, images), answers(small, images)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 0.15 * np.abs(wanted).max()
    assert not np.array_equal(found, wanted)


def test_the_file_says_of_itself_what_the_other_says_and_asks_for_no_more():
    whole = exported("resnet20", (3, 32, 32))
    small = onnx.load_model_from_string(quantize(whole, [noise((3, 32, 32))]))
    source = onnx.load_model_from_string(whole)
    onnx.checker.check_model(small)
    assert {p.key: p.value for p in small.metadata_props} == {p.key: p.value for p in source.metadata_props}
    assert [one.domain for one in small.opset_import] == [""]
    for own, other in ((small.graph.input, source.graph.input), (small.graph.output, source.graph.output)):
        assert [value.SerializeToString() for value in own] == [value.SerializeToString() for value in other]


def test_the_same_images_give_the_same_file_and_others_another():
    whole, images = exported("lenet5", (1, 28, 28), 0.25), noise((1, 28, 28))
    assert quantize(whole, [images]) == quantize(whole, images.reshape(6, 4, 1, 28, 28))  # in whatever batches
    assert quantize(whole, [images]) != quantize(whole, [3 * images])


@pytest.mark.parametrize("whole_last", [True, False])
def test_a_detectors_last_layer_may_stay_as_it_is(whole_last):
    whole = exported("tiny-yolov2", (3, 64, 64), 0.25)
    graph = onnx.load_model_from_string(quantize(whole, [noise((3, 64, 64), 8)], whole_last=whole_last)).graph
    last = next(node for node in graph.node if graph.output[0].name in node.output)
    assert last.op_type == ("Conv" if whole_last else "DequantizeLinear")


def test_the_last_product_may_be_followed_by_other_steps():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 3), torch.nn.Sigmoid())
    whole = export_onnx(model.eval(), (1, 12, 12))
    graph = onnx.load_model_from_string(quantize(whole, [noise((1, 12, 12))], whole_last=True)).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    weights = {array.name for array in graph.initializer}
    assert [node.input[1] in weights for node in convolutions] == [False, True]  # in steps, as it was


def test_asking_for_images_may_end_the_work():
    class Stopped(RuntimeError):
        pass

    def images():
        yield noise((1, 28, 28))
        raise Stopped

    with pytest.raises(Stopped):
        quantize(exported("lenet5", (1, 28, 28), 0.25), images())


def test_all_copies_lie_where_they_are_to_lie_and_go(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))  # which is not there: nothing could be written
    quantize(exported("lenet5", (1, 28, 28), 0.25), [noise((1, 28, 28))], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [[], [noise((3, 28, 28))], [np.full((4, 1, 28, 28), np.nan, np.float32)]])
def test_what_cannot_be_quantized_is_refused_in_words(wrong):
    with pytest.raises(NetworkError, match="cannot be quantized"):
        quantize(exported("lenet5", (1, 28, 28), 0.25), wrong)
