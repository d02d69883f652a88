"""Pictures with boxes: Pascal VOC, COCO and YOLO, one reader each into one canonical form."""

from .annotations import Boxes
from .inspection import inspect_boxes
from .loading import load_boxes
from .reading import read_boxes, understands

__all__ = ["Boxes", "inspect_boxes", "load_boxes", "read_boxes", "understands"]
