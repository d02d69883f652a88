"""The base networks that can be chosen, in words and published figures. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field

USUAL_SIZE = 32  # pixels a side, where neither data nor network ask for more


@dataclass(frozen=True)
class ArchitectureCard:
    """A base network. `parameters` and `macs` are the published (or computed) counts at the
    reference input and classes; one multiply-add counts as one MAC."""

    name: str
    label: str
    task: str
    summary: str
    source: str
    reference_input: tuple[int, int, int]  # channels, height, width
    reference_classes: int
    parameters: int
    macs: int
    minimum_size: int = 8  # smallest square input that survives its strides
    size_multiple: int = 1
    notes: tuple[str, ...] = field(default=())

    def default_size(self, data_size: int) -> int:
        """The input size, in pixels a side, for data whose own default is `data_size`.

        Where that is too small for the network it is the reference size, or 32 if that suffices; sizes
        that the strides do not divide are rounded up.
        """
        size = data_size
        if size < self.minimum_size:
            size = min(s for s in (self.reference_input[1], USUAL_SIZE) if s >= self.minimum_size)
        return -(-size // self.size_multiple) * self.size_multiple


def _index(cards: tuple[ArchitectureCard, ...]) -> dict[str, ArchitectureCard]:
    return {card.name: card for card in cards}


_LENETS = (
    ArchitectureCard(
        "lenet5",
        "LeNet-5 (Caffe)",
        "classification",
        "Two convolutions and two full layers; for digits and other small gray images. "
        "The form that papers on small networks compare with.",
        "https://github.com/BVLC/caffe/tree/master/examples/mnist",
        (1, 28, 28),
        10,
        431_080,
        2_293_000,
        16,
    ),
    ArchitectureCard(
        "lenet5-classic",
        "LeNet-5 (1998)",
        "classification",
        "The first convolutional network in wide use: 6 and 16 filters, average pooling, tanh. "
        "Seven times smaller than Caffe's to begin with.",
        "https://doi.org/10.1109/5.726791",
        (1, 28, 28),
        10,
        61_706,
        416_520,
        12,
    ),
)

_ALEXNETS = (
    ArchitectureCard(
        "alexnet-small",
        "AlexNet for small images",
        "classification",
        "AlexNet's five grouped convolutions, LRN and dropout, on images of about 32 pixels. "
        "Its full layers have 1,024 neurons.",
        "https://papers.nips.cc/paper/4824",
        (3, 32, 32),
        10,
        5_726_602,
        177_453_056,
        15,
    ),
    ArchitectureCard(
        "alexnet",
        "AlexNet (BVLC)",
        "classification",
        "The network that won ImageNet in 2012, in Caffe's reference form at 227 pixels. "
        "Nine tenths of its synapses are in three full layers.",
        "https://github.com/BVLC/caffe/tree/master/models/bvlc_alexnet",
        (3, 227, 227),
        1000,
        60_965_224,
        724_406_816,
        67,
    ),
)

_DEEP = (
    ArchitectureCard(
        "darknet19",
        "Darknet-19",
        "classification",
        "Nineteen convolutions with batch normalisation and no full layer. "
        "The classifier that the YOLOv2 detector stands on.",
        "https://arxiv.org/abs/1612.08242",
        (3, 224, 224),
        1000,
        20_842_376,
        2_790_989_824,
        32,
    ),
    ArchitectureCard(
        "vgg16-bn",
        "VGG-16 with batch norm",
        "classification",
        "Thirteen 3x3 convolutions and three full layers: plain, wide and heavy. "
        "Much of it can go, which makes it a favourite for studying what can.",
        "https://arxiv.org/abs/1409.1556",
        (3, 224, 224),
        1000,
        138_365_992,
        15_470_264_320,
        32,
    ),
    ArchitectureCard(
        "mobilenet-v2",
        "MobileNetV2",
        "classification",
        "Depthwise convolutions between thin residual joints, made for phones. "
        "Small from the start, so expect a smaller factor.",
        "https://arxiv.org/abs/1801.04381",
        (3, 224, 224),
        1000,
        3_504_872,
        300_774_272,
        16,
    ),
)

_OPTION_B = (
    "Where a shortcut changes size it is a 1x1 convolution (option B of the paper), so that every stage can shrink."
)

_RESNETS = (
    ArchitectureCard(
        "resnet20",
        "ResNet-20",
        "classification",
        "Nineteen thin 3x3 convolutions with shortcuts and one full layer, for images of about 32 pixels. "
        "Quick to train and already small.",
        "https://arxiv.org/abs/1512.03385",
        (3, 32, 32),
        10,
        272_474,
        40_813_184,
        8,
        notes=(_OPTION_B,),
    ),
    ArchitectureCard(
        "resnet56",
        "ResNet-56",
        "classification",
        "The deeper form of ResNet-20, for images of about 32 pixels. "
        "The usual ground for comparing methods that make networks smaller.",
        "https://arxiv.org/abs/1512.03385",
        (3, 32, 32),
        10,
        855_770,
        125_747_840,
        8,
        notes=(_OPTION_B,),
    ),
    ArchitectureCard(
        "resnet18",
        "ResNet-18",
        "classification",
        "Eighteen layers with shortcuts, for photographs of about 224 pixels. "
        "A good first choice where accuracy matters.",
        "https://arxiv.org/abs/1512.03385",
        (3, 224, 224),
        1000,
        11_689_512,
        1_814_073_344,
        16,
        notes=("Layers are named as in torchvision, so that its weights fit.",),
    ),
    ArchitectureCard(
        "resnet50",
        "ResNet-50",
        "classification",
        "Fifty layers with shortcuts in three-layer blocks, for photographs of about 224 pixels. "
        "The industry's yardstick.",
        "https://arxiv.org/abs/1512.03385",
        (3, 224, 224),
        1000,
        25_557_032,
        4_089_184_256,
        16,
        notes=("Layers are named as in torchvision, so that its weights fit.",),
    ),
)

_DETECTORS = (
    ArchitectureCard(
        "yolov2",
        "YOLOv2",
        "detection",
        "Finds and names objects in one pass: Darknet-19 with a passthrough for small things. "
        "Reduce its width on machines without a graphics card.",
        "https://arxiv.org/abs/1612.08242",
        (3, 416, 416),
        20,
        50_655_389,
        14_680_167_424,
        64,
        32,
        ("Image sizes are multiples of 32.", "Its five box shapes are found in the training boxes."),
    ),
    ArchitectureCard(
        "tiny-yolov2",
        "Tiny YOLOv2",
        "detection",
        "The small detector of the same family: nine convolutions in a row. "
        "Several times faster than YOLOv2, and weaker on small things.",
        "https://arxiv.org/abs/1612.08242",
        (3, 416, 416),
        20,
        15_861_773,
        3_485_520_896,
        64,
        32,
        ("Image sizes are multiples of 32.", "Its five box shapes are found in the training boxes."),
    ),
)

ARCHITECTURES: dict[str, ArchitectureCard] = _index((*_LENETS, *_ALEXNETS, *_RESNETS, *_DEEP, *_DETECTORS))

# The card of a network that the user brings (ONNX); its counts come from the file.
OWN = "own"
