"""How to load what was taken away: a few lines that run as they stand."""

from __future__ import annotations

from typing import Any

from webapp.networks.downloads import file_name
from webapp.networks.models import Network


def torch_snippet(network: Network) -> str:
    """Loads the safetensors file with the engine, and runs it on one image."""
    shape = input_shape(network)
    return (
        "import torch\n"
        "from evolution_core.genome import load_network\n"
        "\n"
        f'network = load_network("{file_name(network, "safetensors")}")\n'
        f"image = torch.rand(1, {', '.join(map(str, shape))})  # 0 to 1: put your own here\n"
        "mean = torch.tensor(network.genome.mean).view(-1, 1, 1)\n"
        "std = torch.tensor(network.genome.std).view(-1, 1, 1)\n"
        "with torch.inference_mode():\n"
        "    outputs = network.model.eval()((image - mean) / std)\n"
        "print(network.genome.classes[outputs.argmax().item()])"
    )


def onnx_snippet(network: Network) -> str:
    """Runs the ONNX file where no PyTorch is."""
    shape = input_shape(network)
    return (
        "import numpy as np\n"
        "import onnxruntime\n"
        "\n"
        f'session = onnxruntime.InferenceSession("{file_name(network, "onnx")}")\n'
        f"image = np.zeros((1, {', '.join(map(str, shape))}), dtype=np.float32)  # your image, normalised\n"
        "(outputs,) = session.run(None, {session.get_inputs()[0].name: image})\n"
        "print(outputs.argmax())"
    )


def input_shape(network: Network, genome: dict[str, Any] | None = None) -> tuple[int, int, int]:
    """Channels, height, width: from the genome, else from the data's report and the spec."""
    shape = (genome or network.record or {}).get("shape")
    if isinstance(shape, (list, tuple)) and len(shape) == 3:
        return (int(shape[0]), int(shape[1]), int(shape[2]))
    report = network.run.dataset.report or {}
    channels = int(report.get("channels") or 3)
    size = int(network.run.spec.get("input_size") or report.get("default_input") or 32)
    return (channels, size, size)
