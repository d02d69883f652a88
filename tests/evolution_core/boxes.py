"""Small pictures with boxes, written in each of the formats that are read."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("disc", "square")
WIDTH, HEIGHT = 80, 60

# One scene: class, left, top, right, bottom in pixels.
Scene = list[tuple[int, float, float, float, float]]


def scenes(count: int, seed: int = 0) -> list[Scene]:
    luck = np.random.default_rng(seed)
    made: list[Scene] = []
    for index in range(count):
        scene: Scene = []
        for place in range(1 + index % 2):
            side = float(luck.integers(14, 26))
            left = float(luck.integers(place * 40, place * 40 + 40 - int(side)))
            top = float(luck.integers(0, HEIGHT - int(side)))
            scene.append(((index + place) % 2, left, top, left + side, top + side))
        made.append(scene)
    return made


def picture(scene: Scene) -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), (200, 200, 200))
    pen = ImageDraw.Draw(image)
    for label, *corners in scene:
        if not all(-1000 < value < 1000 for value in corners) or corners[0] > corners[2] or corners[1] > corners[3]:
            continue
        if label == 0:
            pen.ellipse(corners, fill=(180, 30, 30))
        else:
            pen.rectangle(corners, fill=(30, 60, 180))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def zipped(path: Path, entries: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def voc_xml(name: str, scene: Scene, size: tuple[int, int] = (WIDTH, HEIGHT)) -> str:
    objects = "".join(
        f"<object><name>{CLASSES[label]}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for label, left, top, right, bottom in scene
    )
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"{objects}</annotation>"
    )


def voc(listed: list[Scene], lists: dict[str, list[int]] | None = None) -> dict[str, bytes | str]:
    entries: dict[str, bytes | str] = {}
    for index, scene in enumerate(listed):
        entries[f"Set/JPEGImages/p{index}.png"] = picture(scene)
        entries[f"Set/Annotations/p{index}.xml"] = voc_xml(f"p{index}.png", scene)
    for name, rows in (lists or {}).items():
        entries[f"Set/ImageSets/Main/{name}.txt"] = "".join(f"p{row}\n" for row in rows)
    return entries


def coco_json(listed: list[Scene], first: int = 0) -> dict:
    annotations = []
    for index, scene in enumerate(listed):
        for label, left, top, right, bottom in scene:
            box = [left, top, right - left, bottom - top]
            annotations.append({"id": len(annotations), "image_id": index, "category_id": label + 3, "bbox": box})
    return {
        "images": [
            {"id": index, "file_name": f"p{index + first}.png", "width": WIDTH, "height": HEIGHT}
            for index in range(len(listed))
        ],
        "annotations": annotations,
        "categories": [{"id": 3, "name": "disc"}, {"id": 4, "name": "square"}, {"id": 9, "name": "never"}],
    }


def coco(listed: list[Scene]) -> dict[str, bytes | str]:
    entries: dict[str, bytes | str] = {f"images/p{index}.png": picture(scene) for index, scene in enumerate(listed)}
    entries["annotations/instances.json"] = json.dumps(coco_json(listed))
    return entries


def yolo_text(scene: Scene) -> str:
    lines = []
    for label, left, top, right, bottom in scene:
        x, y = (left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT
        lines.append(f"{label} {x:.6f} {y:.6f} {(right - left) / WIDTH:.6f} {(bottom - top) / HEIGHT:.6f}")
    return "\n".join(lines) + "\n"


def yolo(listed: list[Scene], names: str = "names: [disc, square]\n") -> dict[str, bytes | str]:
    entries: dict[str, bytes | str] = {"data.yaml": "train: images/train\n" + names}
    for index, scene in enumerate(listed):
        entries[f"images/train/p{index}.png"] = picture(scene)
        entries[f"labels/train/p{index}.txt"] = yolo_text(scene)
    return entries


FORMATS = {"voc": voc, "coco": coco, "yolo": yolo}
