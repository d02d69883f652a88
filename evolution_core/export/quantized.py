"""A network in 8-bit integers: its ONNX file with weights and activations in steps, about four times smaller.

ONNX Runtime's own quantizer does it, after training and without more of it: the range of each activation is what a few
training images give rise to, each filter has steps of its own (Jacob et al. 2018, arXiv 1712.05877; per channel as in
Krishnamoorthi 2018, arXiv 1806.08342).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from evolution_core.spec import NetworkError

BATCH = 16
# What is done in 8 bits. Response normalisation and other arithmetic between layers stays in float32: to go there and
# back costs more than it saves, and squares and roots of steps are far off.
OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Concat", "MaxPool", "GlobalAveragePool", "Relu", "Clip",
             "LeakyRelu", "Flatten", "Reshape", "Transpose")  # fmt: skip


def quantize(
    content: bytes, images: np.ndarray, *, whole_last: bool = False, check: Callable[[], None] = lambda: None
) -> bytes:
    """The ONNX file `content` in 8-bit integers, with the same input, outputs and metadata.

    `images` are float32 [n, C, H, W] as the file takes them, by which ranges are set. `whole_last` leaves the layer
    that gives the output in float32: a detector's map holds places, sizes and chances at once, for which no one step is
    right. `check` is called between batches; what it raises ends the work. Raises NetworkError when it cannot be done.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder, _quiet():
        plain, folded, done = (Path(folder) / name for name in ("plain.onnx", "folded.onnx", "done.onnx"))
        plain.write_bytes(content)
        try:
            quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(folded),
                str(done),
                _reader(quantization.CalibrationDataReader, content, images, check),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                nodes_to_exclude=_makers_of_outputs(onnx.load(folded)) if whole_last else [],
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
        except (ValueError, RuntimeError, NotImplementedError, onnx.checker.ValidationError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise NetworkError(f"this network cannot be quantized: {reason}") from None
        return _tidied(onnx.load(done), onnx.load_model_from_string(content)).SerializeToString()


def _reader(base: type, content: bytes, images: np.ndarray, check: Callable[[], None]) -> Any:
    name = onnx.load_model_from_string(content).graph.input[0].name

    class Reader(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[np.ndarray] = (images[at : at + BATCH] for at in range(0, len(images), BATCH))

        def get_next(self) -> dict[str, np.ndarray] | None:
            check()
            batch = next(self.batches, None)
            return None if batch is None else {name: batch}

    return Reader()


def _makers_of_outputs(model: onnx.ModelProto) -> list[str]:
    outputs = {value.name for value in model.graph.output}
    return [node.name for node in model.graph.node if outputs & set(node.output)]


def _tidied(model: onnx.ModelProto, source: onnx.ModelProto) -> onnx.ModelProto:
    """Said to need only the operators that it has, and with the source's metadata alone: the quantizer leaves marks of
    its own, for which other runtimes may refuse a file."""
    used = {node.domain for node in model.graph.node}
    kept = [one for one in model.opset_import if one.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    del model.metadata_props[:]
    model.metadata_props.extend(source.metadata_props)
    model.producer_name = source.producer_name
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantizer's advice on the root logger, which is for whoever calls it by hand."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
