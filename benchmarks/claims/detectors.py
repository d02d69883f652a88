"""Size and speed without training (the full YOLOv2, AlexNet-small), and YOLOv2 by width on blood cells."""

from __future__ import annotations

from evolution_core.spec import HEADLINES

from .arms import HEADLINE, QUESTION, WIDTHS, controls
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
        *(
            Arm(f"33x-{name}", f"a thirty-third of the parameters, of a network of {said} its width", WIDTHS, "size",
                {"environment": "33x", "width": width}, options=_PICTURE)
            for name, said, width in (("half", "half", 0.5), ("quarter", "a quarter of", 0.25))
        ),
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

_YOLO = HEADLINES["yolo-half"].settings
_DENSE, *_OTHERS = controls()
YOLO = Claim(
    "yolo-half",
    "YOLOv2 at half of its width on blood cells",
    "12.7 million parameters to a thirty-third in four generations, 416 pixels.",
    "bccd-voc",
    dict(_YOLO),
    (
        Arm("evolved", "generations, death-list stress", HEADLINE),
        _DENSE,
        Arm("evolved-50x", "generations, death-list stress, to a fiftieth", HEADLINE, fields={"environment": "50x"}),
        Arm("once-stress", "one cut, death-list stress", QUESTION, fields={"generations": 1, "last_epochs": 120.0}),
        *_OTHERS,
    ),
    seeds=3,
)

# Tried first: a quarter of the width trains in a third of the time, but gets only three times faster by the cut.
YOLO_QUARTER = Claim(
    "yolo-bccd",
    "YOLOv2 at a quarter of its width on blood cells",
    "3.2 million parameters to a thirty-third in four generations, 416 pixels.",
    "bccd-voc",
    {**_YOLO, "width": 0.25},
    (
        Arm("evolved", "generations, death-list stress", HEADLINE),
        _DENSE,
        Arm("evolved-50x", "generations, death-list stress, to a fiftieth", HEADLINE, fields={"environment": "50x"}),
        Arm("waiting", "generations, gestation without stress", QUESTION, fields={"stress": "none"}),
        *_OTHERS,
    ),
    seeds=3,
)
