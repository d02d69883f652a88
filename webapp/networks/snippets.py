"""How to load what was taken away: a few lines that run as they stand, but for the image's name. They are short, to be
read beside the page's figures without moving sideways."""

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
image = Image.open("image.jpg")
image = image.convert("L" if channels == 1 else "RGB")
image = image.resize((width, height), Image.BICUBIC)
pixels = torch.from_numpy(np.array(image, np.float32) / 255)
pixels = pixels.view(height, width, channels).permute(2, 0, 1)
mean = torch.tensor(genome.mean).view(-1, 1, 1)
std = torch.tensor(genome.std).view(-1, 1, 1)
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
stored = session.get_modelmeta().custom_metadata_map
about = json.loads(stored["eustress"])
channels, height, width = about["input"]["shape"]
image = Image.open("image.jpg")
image = image.convert("L" if channels == 1 else "RGB")
image = image.resize((width, height), Image.BICUBIC)
pixels = np.array(image, np.float32)  # 0 to 255
pixels = pixels.reshape(height, width, -1).transpose(2, 0, 1)
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
image = Image.open("image.jpg")
image = image.convert("L" if channels == 1 else "RGB")
small = image.resize((width, height), Image.BICUBIC)
pixels = torch.from_numpy(np.array(small, np.float32) / 255)
pixels = pixels.view(height, width, channels).permute(2, 0, 1)
mean = torch.tensor(genome.mean).view(-1, 1, 1)
std = torch.tensor(genome.std).view(-1, 1, 1)
with torch.inference_mode():
    outputs = network.model(((pixels - mean) / std)[None])
anchors = region_of(network.model).anchors
found = detect(outputs, anchors, threshold=0.25)[0]
scale = torch.tensor([image.width, image.height] * 2)
rows = zip(found.corners * scale, found.scores, found.classes)
for box, score, label in rows:
    print(genome.classes[label], f"{{score:.2f}}", box.tolist())"""


def boxes_snippet(network: Network) -> str:
    """Runs the ONNX form with boxes where no PyTorch is; boxes are scaled back to the image as it was."""
    return f"""\
import json
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{file_name(network, "onnx-nms")}")
stored = session.get_modelmeta().custom_metadata_map
about = json.loads(stored["eustress"])
channels, height, width = about["input"]["shape"]
image = Image.open("image.jpg")
image = image.convert("L" if channels == 1 else "RGB")
small = image.resize((width, height), Image.BICUBIC)
pixels = np.array(small, np.float32)  # 0 to 255
pixels = pixels.reshape(height, width, -1).transpose(2, 0, 1)
threshold = np.array([0.25], np.float32)
inputs = {{"image": pixels[None], "score_threshold": threshold}}
boxes, scores, classes = session.run(None, inputs)
scale = [image.width / width, image.height / height] * 2
boxes *= np.array(scale)
for box, score, label in zip(boxes, scores, classes):
    name = about["classes"][label]
    print(name, f"{{score:.2f}}", box.round(1).tolist())"""
