"""How to load what was taken away: a few lines that run as they stand, but for the image's name."""

from __future__ import annotations

from webapp.networks.downloads import file_name
from webapp.networks.models import Network


def torch_snippet(network: Network) -> str:
    """Rebuilds the network from its safetensors file with the engine, and asks it about one image."""
    return f"""\
import numpy as np
import torch
from PIL import Image
from evolution_core.genome import load_network

network = load_network("{file_name(network, "safetensors")}")
genome = network.genome
channels, height, width = genome.shape
image = Image.open("image.jpg").convert("L" if channels == 1 else "RGB")
image = image.resize((width, height), Image.Resampling.BICUBIC)
pixels = torch.from_numpy(np.array(image, dtype=np.float32)).view(height, width, channels).permute(2, 0, 1) / 255
mean, std = torch.tensor(genome.mean).view(-1, 1, 1), torch.tensor(genome.std).view(-1, 1, 1)
with torch.inference_mode():
    outputs = network.model(((pixels - mean) / std)[None])
print(genome.classes[outputs.argmax().item()])"""


def onnx_snippet(network: Network) -> str:
    """Runs the ONNX file where no PyTorch is. It takes plain pixels and says itself what its input and classes are."""
    return f"""\
import json
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{file_name(network, "onnx")}")
about = json.loads(session.get_modelmeta().custom_metadata_map["eustress"])
channels, height, width = about["input"]["shape"]
image = Image.open("image.jpg").convert("L" if channels == 1 else "RGB")
image = image.resize((width, height), Image.Resampling.BICUBIC)
pixels = np.array(image, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1)  # 0 to 255
(outputs,) = session.run(None, {{"image": pixels[None]}})
print(about["classes"][outputs.argmax()])"""


def detector_snippet(network: Network) -> str:
    """Rebuilds a detector from its safetensors file with the engine, and lists what it finds in one image."""
    return f"""\
import numpy as np
import torch
from PIL import Image
from evolution_core.architectures.region import region_of
from evolution_core.genome import load_network
from evolution_core.tasks.detection import detect

network = load_network("{file_name(network, "safetensors")}")
genome = network.genome
channels, height, width = genome.shape
image = Image.open("image.jpg").convert("L" if channels == 1 else "RGB")
small = image.resize((width, height), Image.Resampling.BICUBIC)
pixels = torch.from_numpy(np.array(small, dtype=np.float32)).view(height, width, channels).permute(2, 0, 1) / 255
mean, std = torch.tensor(genome.mean).view(-1, 1, 1), torch.tensor(genome.std).view(-1, 1, 1)
with torch.inference_mode():
    outputs = network.model(((pixels - mean) / std)[None])
found = detect(outputs, region_of(network.model).anchors, threshold=0.25)[0]
scale = torch.tensor([image.width, image.height] * 2)
for corners, score, label in zip(found.corners * scale, found.scores, found.classes):
    print(genome.classes[label], f"{{score:.2f}}", corners.tolist())"""


def boxes_snippet(network: Network) -> str:
    """Runs the ONNX form with boxes where no PyTorch is; boxes are scaled back to the image as it was."""
    return f"""\
import json
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{file_name(network, "onnx-nms")}")
about = json.loads(session.get_modelmeta().custom_metadata_map["eustress"])
channels, height, width = about["input"]["shape"]
image = Image.open("image.jpg").convert("L" if channels == 1 else "RGB")
small = image.resize((width, height), Image.Resampling.BICUBIC)
pixels = np.array(small, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1)  # 0 to 255
threshold = np.array([0.25], np.float32)
boxes, scores, classes = session.run(None, {{"image": pixels[None], "score_threshold": threshold}})
boxes *= np.array([image.width / width, image.height / height] * 2)
for box, score, label in zip(boxes, scores, classes):
    print(about["classes"][label], f"{{score:.2f}}", box.round(1).tolist())"""
