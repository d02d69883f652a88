"""Every field of a run's spec, each with the one description that checks it, shows it and makes it an option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import catalogue
from .composites import Environment, Stress
from .settings import setting


def _architectures() -> Mapping[str, Any]:
    return {**catalogue.ARCHITECTURES, catalogue.OWN: None}


@dataclass(frozen=True)
class RunFields:
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
        "Multiplies the number of filters of every layer of the base network.",
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
        blank="the ancestor is trained from scratch",
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
    limit: int | None = setting(
        None,
        "integer",
        "Image limit",
        "Train and validate on at most so many images, in equal "
        "shares of each class as far as they go. The test set stays whole.",
        "training",
        minimum=10,
        maximum=100_000_000,
        optional=True,
        blank="all",
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

    # -- training
    epochs: float = setting(
        2.0,
        "number",
        "Epochs",
        "Passes over the training images for each network.",
        "training",
        minimum=0.01,
        maximum=10_000,
        basic=True,
    )
    ancestor_epochs: float | None = setting(
        None,
        "number",
        "Ancestor's epochs",
        "Passes for the ancestor alone.",
        "training",
        minimum=0.01,
        maximum=10_000,
        optional=True,
        blank="as the others",
    )
    last_epochs: float | None = setting(
        None,
        "number",
        "Last generation's epochs",
        "Passes for the last generation alone; a longer last growth pays.",
        "training",
        minimum=0.01,
        maximum=10_000,
        optional=True,
        blank="as the others",
    )
    optimizer: str = setting(
        "muon",
        "choice",
        "Optimizer",
        "The same for the ancestor and its offspring.",
        "training",
        choices=lambda: catalogue.OPTIMIZERS,
    )
    learning_rate: float | None = setting(
        None,
        "number",
        "Learning rate",
        "The peak after warm-up.",
        "training",
        minimum=1e-6,
        maximum=10.0,
        optional=True,
        blank="the optimizer's own",
    )
    weight_decay: float = setting(
        1e-4, "number", "Weight decay", "Decoupled decay of the weights.", "training", minimum=0.0, maximum=1.0
    )
    batch_size: int = setting(
        128,
        "integer",
        "Batch size",
        "Images per step, at most: few images are taken in smaller batches, so that an epoch has some 20 steps.",
        "training",
        minimum=1,
        maximum=8192,
    )
    augmentation: str = setting(
        "none",
        "choice",
        "Augmentation",
        "How training images are varied.",
        "training",
        choices=lambda: catalogue.AUGMENTATIONS,
    )
    validation_share: float = setting(
        0.1,
        "number",
        "Validation share",
        "Share of the training images held back to compare networks; drawn by seed.",
        "training",
        minimum=0.01,
        maximum=0.5,
    )
    progressive_size: int | None = setting(
        None,
        "integer",
        "First image size",
        "Training starts on images of this size and ends on full size: faster, and often as good.",
        "training",
        minimum=8,
        maximum=1024,
        optional=True,
        blank="always full size",
    )
    progressive_share: float = setting(
        0.6,
        "number",
        "Share at first size",
        "Share of the epochs on small images.",
        "training",
        minimum=0.05,
        maximum=0.95,
    )
    multi_scale: float = setting(
        0.0,
        "number",
        "Multi-scale",
        "Every ten steps images change size, by up to this share either way, as detectors are trained; 0: never.",
        "training",
        minimum=0.0,
        maximum=0.5,
    )
    distillation: float = setting(
        0.0,
        "number",
        "Distillation",
        "Share of the loss that follows the ancestor's outputs during growth.",
        "training",
        minimum=0.0,
        maximum=1.0,
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
        "What Pareto selection compares.",
        "selection",
        choices=lambda: dict.fromkeys(catalogue.OBJECTIVES),
    )
