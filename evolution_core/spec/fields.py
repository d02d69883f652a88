"""Every field of a run's spec, each with the one description that checks it, shows it and makes it an option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import catalogue
from .composites import Environment, Stress
from .settings import setting
from .training_fields import TrainingFields


def _architectures() -> Mapping[str, Any]:
    return {**catalogue.ARCHITECTURES, catalogue.OWN: None}


@dataclass(frozen=True)
class RunFields(TrainingFields):
    """The fields alone, unchecked; :class:`.run.RunSpec` is what everyone uses."""

    # -- base network
    architecture: str = setting(
        "lenet5",
        "choice",
        "Base network",
        "The network that becomes the ancestor.",
        "network",
        choices=_architectures,
        basic=True,
    )
    input_size: int | None = setting(
        None,
        "integer",
        "Image size",
        "Width and height in pixels that images are resized to.",
        "network",
        minimum=8,
        maximum=1024,
        optional=True,
        option="input",
        blank="the data's own size if all images share it, up to 64; otherwise 32",
    )
    width: float = setting(
        1.0,
        "number",
        "Width",
        "Multiplies the number of filters of every layer of the base network. A narrow one trains faster, but gains "
        "less speed from being cut: its first layers are soon too thin to fill a processor's vectors.",
        "network",
        minimum=0.05,
        maximum=2.0,
    )
    own: str | None = setting(
        None,
        "text",
        "Own network",
        "Your own network as an ONNX file (then its SHA-256).",
        "network",
        optional=True,
        blank="none",
    )
    weights: str | None = setting(
        None,
        "text",
        "Own weights",
        "Trained weights of the base network: safetensors, or Darknet's .weights (then the file's SHA-256).",
        "network",
        optional=True,
        blank="trained from scratch",
    )

    # -- evolution
    generations: int = setting(
        4,
        "integer",
        "Generations",
        "How many times networks reproduce.",
        "evolution",
        minimum=1,
        maximum=50,
        basic=True,
    )
    offspring: int = setting(
        2, "integer", "Offspring", "Networks born in each generation.", "evolution", minimum=1, maximum=32, basic=True
    )
    survivors: int = setting(
        1, "integer", "Survivors", "How many of a generation may become parents.", "evolution", minimum=1, maximum=32
    )
    parents: int = setting(
        1, "integer", "Parents", "How many parents each offspring has.", "evolution", minimum=1, maximum=8
    )
    mating_weights: str = setting(
        "fitness",
        "choice",
        "Mating weights",
        "How much each parent's genes count.",
        "evolution",
        choices=lambda: catalogue.MATING_WEIGHTS,
    )
    candidates: int = setting(
        1,
        "integer",
        "Candidates",
        "Genomes drawn for each birth; the one that does best on a few training images right after synthesis is born.",
        "evolution",
        minimum=1,
        maximum=64,
    )
    elitism: bool = setting(False, "flag", "Elitism", "Parents compete with their offspring for survival.", "evolution")
    patience: int = setting(
        0,
        "integer",
        "Patience",
        "Stop early after so many generations without a network on the Pareto front; 0 never stops early.",
        "evolution",
        minimum=0,
        maximum=50,
    )
    seed: int = setting(
        0,
        "integer",
        "Seed",
        "The same seed gives the same networks, bit for bit.",
        "evolution",
        minimum=0,
        maximum=2**63 - 1,
        basic=True,
    )

    # -- environment
    environment: Environment = field(default_factory=Environment)
    resource: str = setting(
        "clusters",
        "choice",
        "Resource",
        "What the environment's share counts.",
        "environment",
        choices=lambda: catalogue.RESOURCES,
    )
    minimum_clusters: int = setting(
        4, "integer", "Floor", "No layer falls below so many clusters.", "environment", minimum=1, maximum=4096
    )
    floors: dict[str, float] = setting(
        {},
        "shares",
        "Layer floors",
        "Share of the ancestor's clusters below which a named layer never falls, as layer=share.",
        "environment",
        minimum=0.0,
        maximum=1.0,
    )
    protect: tuple[str, ...] = setting(
        (), "names", "Protected layers", "Layers that keep all their clusters.", "environment"
    )
    width_multiple: int = setting(
        8,
        "integer",
        "Width multiple",
        "Wide layers keep a width that is a multiple of this; odd widths run slower than wider even ones.",
        "environment",
        minimum=1,
        maximum=64,
    )

    # -- stress
    stress: tuple[Stress, ...] = field(default_factory=lambda: (Stress.read("death-list"),))
    gestation: float = setting(
        0.2,
        "number",
        "Gestation",
        "Share of each birth's epochs that trains under stress, before the cut; the rest is growth after it.",
        "stress",
        minimum=0.0,
        maximum=0.95,
    )

    # -- genome and heredity
    encoding: str = setting(
        "cluster", "choice", "Genetic encoding", "What lives or dies.", "genome", choices=lambda: catalogue.ENCODINGS
    )
    strength: str = setting(
        "sum",
        "choice",
        "Cluster strength",
        "How strong a cluster is: the stronger, the likelier it lives.",
        "genome",
        choices=lambda: catalogue.STRENGTHS,
    )
    threshold: float = setting(
        0.0,
        "number",
        "Threshold",
        "Synapses weaker than this share of their layer's strongest count nothing.",
        "genome",
        minimum=0.0,
        maximum=1.0,
    )
    sharpness: float = setting(
        4.0,
        "number",
        "Sharpness",
        "How much strength matters: P = exp(sharpness * (strength / max - 1)). 1 is the published form.",
        "genome",
        minimum=0.0,
        maximum=100.0,
    )
    synapse_share: float = setting(
        0.5,
        "number",
        "Living synapses",
        "Share of the synapses of living clusters that live (encodings with synapses only).",
        "genome",
        minimum=0.01,
        maximum=1.0,
    )
    inheritance: str = setting(
        "inherited",
        "choice",
        "Inheritance",
        "What offspring start from.",
        "genome",
        choices=lambda: catalogue.INHERITANCES,
    )
    repair: bool = setting(
        False,
        "flag",
        "Repair at synthesis",
        "Refit every surviving layer to its parent's pre-activations by least squares.",
        "genome",
    )
    repair_images: int = setting(
        512,
        "integer",
        "Images for repair",
        "Training images used for repair, for Taylor strength and to compare candidates.",
        "genome",
        minimum=16,
        maximum=100_000,
    )

    # -- selection
    selection: str = setting(
        "smallest",
        "choice",
        "Selection",
        "Which networks survive, and which is chosen at the end.",
        "selection",
        choices=lambda: catalogue.SELECTIONS,
    )
    max_drop: float = setting(
        1.0,
        "number",
        "Allowed drop",
        "Percentage points of validation accuracy below the ancestor that the chosen network may lose.",
        "selection",
        minimum=0.0,
        maximum=100.0,
        basic=True,
    )
    objectives: tuple[str, ...] = setting(
        ("accuracy", "parameters", "macs"),
        "names",
        "Objectives",
        "What Pareto selection compares. Measured time varies, so a run that compares latency is not bit-reproducible.",
        "selection",
        choices=lambda: dict.fromkeys(catalogue.OBJECTIVES),
    )
