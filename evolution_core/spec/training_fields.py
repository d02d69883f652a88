"""The fields of a run's spec that say how its networks are trained; the others are in :mod:`.fields`."""

from __future__ import annotations

from dataclasses import dataclass

from . import catalogue
from .settings import setting


@dataclass(frozen=True)
class TrainingFields:
    """What every training follows, the ancestor's and each generation's."""

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
    precision: str = setting(
        "float32",
        "choice",
        "Precision",
        "The numbers that layers compute in while they are trained; weights are kept in float32.",
        "training",
        choices=lambda: catalogue.PRECISIONS,
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
