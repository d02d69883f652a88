"""How to load what was taken away: a few lines that run as they stand, but for the image's name. They are short, to be
read beside the page's figures without moving sideways."""

from __future__ import annotations

from webapp.networks.downloads import file_name
from webapp.networks.models import Network
from webapp.runs.snapshot import ANCESTOR


def snippets_of(network: Network) -> list[dict[str, str]]:
    """{"id", "label", "code"} of each that its page offers; [] where it has no file."""
    if not network.file:
        return []
    if network.run.dataset.task == "detection":
        offered = [
            ("onnx", "With ONNX Runtime (ONNX with boxes)", boxes_snippet),
            ("torch", "With evolution_core (safetensors)", detector_snippet),
        ]
    else:
        offered = [
            ("torch", "With evolution_core (safetensors)", torch_snippet),
            ("onnx", "With ONNX Runtime (ONNX)", onnx_snippet),
        ]
    offered.append(("timing", "Time it (ONNX Runtime)", timing_snippet))
    return [{"id": f"snippet-{name}", "label": label, "code": written(network)} for name, label, written in offered]


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


def timing_snippet(network: Network) -> str:
    """Times the ONNX file and its ancestor's where no browser is: in turns, so that what slows the device down slows
    both down; one image at a time, one thread."""
    names = [file_name(network, "onnx")]
    if network.name != ANCESTOR:
        names.append(file_name(Network(run=network.run, name=ANCESTOR), "onnx"))
    listed = "".join(f'    "{name}",\n' for name in names)
    compared = """
print(f"{medians[1] / medians[0]:.1f} times faster")"""
    return f"""\
import statistics
import time
import numpy as np
import onnxruntime

files = [
{listed}]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
noise = np.random.default_rng(0)

def runner(file):
    session = onnxruntime.InferenceSession(file, options)
    image = session.get_inputs()[0]
    shape = [1, *image.shape[1:]]
    pixels = noise.uniform(0, 255, shape).astype(np.float32)
    return lambda: session.run(None, {{image.name: pixels}})

def burst(run):  # milliseconds of one run, over 50 or more
    start, runs = time.perf_counter(), 0
    while runs == 0 or time.perf_counter() - start < 0.05:
        run()
        runs += 1
    return 1000 * (time.perf_counter() - start) / runs

runs = [runner(file) for file in files]
for run in runs:
    burst(run)  # warms up
rounds = [[burst(run) for run in runs] for _ in range(30)]
medians = [statistics.median(times) for times in zip(*rounds)]
for file, median in zip(files, medians):
    print(f"{{file}}: {{median:.3f}} ms"){compared if len(names) > 1 else ""}"""
