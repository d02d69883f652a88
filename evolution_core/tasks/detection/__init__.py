"""Detection: boxes, anchors, YOLOv2's loss, decoding, suppression, measures and augmentation."""

from .anchors import find_anchors, mean_best_iou
from .decoding import Detections, decode, detect
from .loss import yolo_loss
from .metrics import average_precision, precision_and_recall
from .suppression import suppress
from .task import Detection, detections

__all__ = [
    "Detection",
    "Detections",
    "average_precision",
    "decode",
    "detect",
    "detections",
    "find_anchors",
    "mean_best_iou",
    "precision_and_recall",
    "suppress",
    "yolo_loss",
]
