"""A network in 8-bit integers: its ONNX file with weights and activations in steps, at best a quarter of the size.

ONNX Runtime's own quantizer does it, after training and without more of it: the range of each activation is what a few
training images give rise to, each filter has steps of its own (Jacob et al. 2018, arXiv 1712.05877; per channel as in
Krishnamoorthi 2018, arXiv 1806.08342).
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from evolution_core.measurement.latency import session
from evolution_core.spec import NetworkError

# What is done in 8 bits. Response normalisation and other arithmetic between layers stays in float32: to go there and
# back costs more than it saves, and squares and roots of steps are far off.
OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Concat", "MaxPool", "GlobalAveragePool", "Relu", "Clip",
             "LeakyRelu", "Flatten", "Reshape", "Transpose")  # fmt: skip
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def quantize(
    content: bytes, batches: Iterable[np.ndarray], *, whole_last: bool = False, folder: Path | None = None
) -> bytes:
    """The ONNX file `content` in 8-bit integers, with the same input, outputs and metadata.

    `batches` are images, float32 [n, C, H, W] as the file takes them, by which ranges are set; they are asked for one
    by one, and what asking raises ends the work. `whole_last` leaves the last product before each output in float32: a
    detector's map holds places, sizes and chances at once, for which no one step is right. Copies of the network lie in
    `folder` meanwhile (the system's for temporary files by default). One thread. Raises NetworkError when it cannot be
    done.
    """
    with _scratch(folder) as scratch, _quiet(), _one_thread():
        plain, folded, done = (scratch / name for name in ("plain.onnx", "folded.onnx", "done.onnx"))
        plain.write_bytes(content)
        images = _Images(content, batches)
        try:
            _quantized(plain, folded, done, images, whole_last)
        except Exception as error:  # ONNX Runtime and protobuf have a dozen types and no common base
            if error is images.raised:
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise NetworkError(f"this network cannot be quantized: {reason}") from None
        return _tidied(onnx.load(done), onnx.load_model_from_string(content)).SerializeToString()


def _quantized(plain: Path, folded: Path, done: Path, images: _Images, whole_last: bool) -> None:
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(folded),
        str(done),
        images,
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=list(OPERATORS),
        nodes_to_exclude=_last_products(onnx.load(folded).graph) if whole_last else [],
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


class _Images:
    """Hands batches to the quantizer, and remembers what asking for one has raised."""

    def __init__(self, content: bytes, batches: Iterable[np.ndarray]) -> None:
        self.name = session(content).get_inputs()[0].name
        self.batches = iter(batches)
        self.raised: BaseException | None = None

    def get_next(self) -> dict[str, np.ndarray] | None:
        try:
            batch = next(self.batches, None)
        except BaseException as error:
            self.raised = error
            raise
        return None if batch is None else {self.name: batch}


def _last_products(graph: onnx.GraphProto) -> list[str]:
    """The names of the products nearest to the outputs."""
    makers = {output: node for node in graph.node for output in node.output}
    waiting, found, seen = [value.name for value in graph.output], [], set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op_type in PRODUCTS:
            found.append(node.name)
        else:
            waiting.extend(node.input)
    return found


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
def _scratch(folder: Path | None) -> Iterator[Path]:
    """A folder for copies of the network. The quantizer makes more of them where Python keeps temporary files: for as
    long, that is there."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=folder) as own:
        tempfile.tempdir = own
        try:
            yield Path(own)
        finally:
            tempfile.tempdir = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that the quantizer gives, on the root logger itself, to whoever calls it by hand."""

    def is_serious(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    logging.root.addFilter(is_serious)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.removeFilter(is_serious)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The quantizer runs the network in a session of its own making, on all processors; here on one, as all work is."""
    from onnxruntime.quantization.calibrate import CalibraterBase

    def create(self: Any) -> None:
        self.infer_session = session(self.augmented_model_path, optimized=False)

    before = CalibraterBase.create_inference_session
    CalibraterBase.create_inference_session = create
    try:
        yield
    finally:
        CalibraterBase.create_inference_session = before
