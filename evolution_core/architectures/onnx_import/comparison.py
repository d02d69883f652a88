"""The proof of an import: the rebuilt module and ONNX Runtime must say the same about the same images."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from evolution_core.seeds import derive
from evolution_core.spec import NetworkError

from .graph import Input

# |ours - theirs| <= absolute + relative * the largest |theirs|, in single precision.
TOLERANCE = (1e-4, 1e-3)
HALF_TOLERANCE = (2e-2, 2e-2)  # for files in half precision, whose own rounding is that coarse
BATCHES = (1, 3)

FINALS = {
    "softmax": lambda: nn.Softmax(dim=1),
    "log-softmax": lambda: nn.LogSoftmax(dim=1),
    "sigmoid": lambda: nn.Sigmoid(),
}


def deployed(module: nn.Module, final: str) -> nn.Module:
    """The module with its file's last step ("softmax", "log-softmax", "sigmoid") put back; as it is where '' .

    The most likely class is the same either way; an export that must be a drop-in replacement wants it.
    """
    return nn.Sequential(module, FINALS[final]()) if final else module


def session_of(content: bytes) -> onnxruntime.InferenceSession:
    """ONNX Runtime over the file's bytes, on one thread. Raises NetworkError when it refuses the file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own
        raise NetworkError(f"ONNX Runtime cannot load the network: {_line(error)}") from None


def compare(content: bytes, given: Input, module: nn.Module, output: str, final: str) -> float:
    """The largest difference over seeded random images, one and three at a time; NetworkError beyond TOLERANCE."""
    session = session_of(content)
    whole = deployed(module, final)
    largest = 0.0
    for batch in BATCHES if given.batch <= 1 else (given.batch, 3 * given.batch):
        images = random_images(given.shape, batch)
        theirs = _run(session, given, images, output)
        with torch.no_grad():
            ours = whole(images)
        if theirs.numel() != ours.numel():
            raise NetworkError(f"the rebuilt network gives {tuple(ours.shape)}, ONNX Runtime {tuple(theirs.shape)}")
        theirs = theirs.reshape(ours.shape)
        absolute, relative = HALF_TOLERANCE if given.dtype == "float16" else TOLERANCE
        difference = float((ours - theirs).abs().max())
        if not difference <= absolute + relative * float(theirs.abs().max()):
            raise NetworkError(
                f"the rebuilt network disagrees with ONNX Runtime by {difference:.2g} on {batch} random "
                f"image{'s' if batch > 1 else ''}; it was not imported"
            )
        largest = max(largest, difference)
    return largest


def random_images(shape: tuple[int, int, int], batch: int) -> Tensor:
    """[batch, C, H, W] standard normal, the same every time."""
    numbers = np.random.default_rng(derive(0, "onnx-import", batch)).standard_normal((batch, *shape), dtype=np.float32)
    return torch.from_numpy(numbers)


def _run(session: onnxruntime.InferenceSession, given: Input, images: Tensor, output: str) -> Tensor:
    """ONNX Runtime's output, in as many calls as the exported batch needs."""
    arrays = images.permute(0, 2, 3, 1) if given.channels_last else images
    feeds = np.ascontiguousarray(arrays.numpy()).astype(given.dtype)
    results = []
    try:
        try:
            results = [session.run([output], {given.name: feeds})[0]] if not given.batch else []
        except Exception:  # an open batch in name only: one image at a time
            results = []
        step = given.batch or 1
        if not results:
            results = [
                session.run([output], {given.name: feeds[start : start + step]})[0]
                for start in range(0, len(feeds), step)
            ]
    except Exception as error:
        raise NetworkError(f"ONNX Runtime cannot run the network: {_line(error)}") from None
    return torch.from_numpy(np.concatenate(results).astype(np.float32))


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
