"""Size and speed without training (the full YOLOv2, AlexNet-small), and YOLOv2 by width on blood cells."""

from __future__ import annotations

from evolution_core.spec import HEADLINES

from .arms import HEADLINE, QUESTION, controls
from .declared import Arm, Claim

_DRAWN = {"generations": 1, "resource": "parameters", "stress": "none", "gestation": 0.0}
_PICTURE = {"classes": 20, "shape": [3, 416, 416]}
_SMALL = {"classes": 10, "shape": [3, 32, 32]}

YOLO_SPEED = Claim(
    "yolo-speed",
    "Full YOLOv2, size and speed",
    "50.7 million parameters, 20 classes, 416 pixels; one synthesis, newborn weights, the network alone; timed by the "
    "work of its thread.",
    "none",
    {"architecture": "yolov2", **_DRAWN},
    (
        Arm("33x", "a thirty-third of the parameters", HEADLINE, "size", {"environment": "33x"}, options=_PICTURE),
        Arm("50x", "a fiftieth of the parameters", HEADLINE, "size", {"environment": "50x"}, options=_PICTURE),
        Arm("macs-8x", "an eighth of the multiply-adds", HEADLINE, "size",
            {"environment": "8x", "resource": "macs"}, options=_PICTURE),
    ),
    seeds=3,
)  # fmt: skip

ALEXNET_SPEED = Claim(
    "alexnet-speed",
    "AlexNet-small, size and speed",
    "5.7 million parameters, 10 classes, 32 pixels; one synthesis, newborn weights; timed by the work of its thread.",
    "none",
    {"architecture": "alexnet-small", **_DRAWN},
    (
        Arm("40x", "a fortieth of the parameters", HEADLINE, "size", {"environment": "40x"}, options=_SMALL),
        Arm("60x", "a sixtieth of the parameters", HEADLINE, "size", {"environment": "60x"}, options=_SMALL),
    ),
    seeds=3,
)

YOLO = Claim(
    "yolo-bccd",
    "YOLOv2 at a quarter of its width on blood cells",
    "3.2 million parameters to a thirty-third in four generations, 416 pixels.",
    "bccd-voc",
    dict(HEADLINES["yolo-bccd"].settings),
    (
        Arm("evolved", "generations, death-list stress", HEADLINE),
        *controls()[:1],
        Arm("evolved-50x", "generations, death-list stress, to a fiftieth", HEADLINE, fields={"environment": "50x"}),
        Arm("waiting", "generations, gestation without stress", QUESTION, fields={"stress": "none"}),
        *controls()[1:],
    ),
    seeds=3,
)
