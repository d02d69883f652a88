"""What can be chosen for a run, in words: one entry for each registered part.

Here, and in the two modules beside it that it gathers (base networks and surroundings), is the one place where a
part's name, plain description and source stand. The engine's registries bind code to these entries, the command line
prints them and the run form shows them; a test walks both sides, so neither can drift. No torch here.
"""

from __future__ import annotations

from .base_networks import ARCHITECTURES, OWN
from .part import CLUSTER_PAPER, LENET_PAPER, MATING_PAPER, PAPER, Parameter, Part, index
from .surroundings import ENVIRONMENTS, RESOURCES, SCHEDULES, STRESSES

__all__ = [
    "ARCHITECTURES",
    "AUGMENTATIONS",
    "ENCODINGS",
    "ENVIRONMENTS",
    "INHERITANCES",
    "MATING_WEIGHTS",
    "OBJECTIVES",
    "OPTIMIZERS",
    "OWN",
    "PRECISIONS",
    "RESOURCES",
    "SCHEDULES",
    "SELECTIONS",
    "STRENGTHS",
    "STRESSES",
    "Parameter",
    "Part",
]

# --- genome, heredity, selection ----------------------------------------------------

ENCODINGS: dict[str, Part] = index(
    (
        Part(
            "cluster",
            "Clusters",
            "Whole clusters live or die together. So offspring are really smaller and faster.",
            CLUSTER_PAPER,
            "published",
            default=True,
        ),
        Part(
            "synapse",
            "Synapses",
            "Single weights live or die: the network is masked, not smaller. "
            "Shown as masked everywhere; of use for study.",
            PAPER,
            "published",
        ),
        Part(
            "both",
            "Clusters and synapses",
            "Clusters are removed, then weak synapses inside the living ones are masked. "
            "Smaller by the clusters only; the mask is reported apart.",
            CLUSTER_PAPER,
            "published",
        ),
    )
)

STRENGTHS: dict[str, Part] = index(
    (
        Part(
            "sum",
            "Sum of magnitudes",
            "The sum of a cluster's weight magnitudes above a threshold. "
            "The published measure: cheap, and it needs no images.",
            CLUSTER_PAPER,
            "published",
            default=True,
        ),
        Part(
            "l2",
            "L2 norm",
            "The root of the sum of a cluster's squared weights. A few large weights count more than many small ones.",
            "https://arxiv.org/abs/1608.08710",
            "published, there with the L1 norm",
        ),
        Part(
            "batch-norm",
            "Batch-norm scale",
            "How much batch normalisation amplifies the cluster; where a layer has none, its L2 norm. "
            "What is hardly amplified is hardly heard by the layers that follow.",
            "https://arxiv.org/abs/1708.06519",
            "published",
        ),
        Part(
            "taylor",
            "First-order Taylor",
            "How much the loss would rise without the cluster, estimated from gradients on a few training images. "
            "Slower than the others, and the only one that looks at the data.",
            "https://arxiv.org/abs/1611.06440",
            "published",
        ),
    )
)

OPTIMIZERS: dict[str, Part] = index(
    (
        Part(
            "muon",
            "Muon + AdamW",
            "Muon for weight matrices and filters, AdamW for the rest. Learns most in few epochs.",
            "https://kellerjordan.github.io/posts/muon/",
            "published",
            default=True,
        ),
        Part(
            "adamw",
            "AdamW",
            "Adaptive steps with decoupled weight decay. The usual choice, and seldom a bad one.",
            "https://arxiv.org/abs/1711.05101",
            "published",
        ),
        Part(
            "sgd",
            "SGD",
            "Stochastic gradient descent with Nesterov momentum 0.9. "
            "The classic for convolutional networks, when there are many epochs.",
            "https://proceedings.mlr.press/v28/sutskever13.html",
            "published",
        ),
    )
)

INHERITANCES: dict[str, Part] = index(
    (
        Part(
            "inherited",
            "Inherited",
            "Offspring start from their parents' surviving weights. What was learnt is not learnt again.",
            PAPER,
            default=True,
        ),
        Part(
            "newborn",
            "Newborn",
            "Offspring keep the shape only; their weights are drawn afresh. "
            "A control: it shows what inheritance is worth.",
            "https://arxiv.org/abs/1810.05270",
            "control",
        ),
    )
)

MATING_WEIGHTS: dict[str, Part] = index(
    (
        Part(
            "fitness",
            "By fitness",
            "More accurate parents weigh more in the offspring's genome. One that has learnt nothing hardly counts.",
            MATING_PAPER,
            default=True,
        ),
        Part(
            "equal",
            "Equal",
            "Every parent weighs the same. A weaker parent's genes live on as readily as a stronger one's.",
            MATING_PAPER,
        ),
    )
)

SELECTIONS: dict[str, Part] = index(
    (
        Part(
            "smallest",
            "Smallest within the drop",
            "The smallest network within the allowed drop in accuracy is kept. If there is none, the most accurate is.",
            PAPER,
            default=True,
        ),
        Part(
            "pareto",
            "Pareto",
            "Networks that no other beats on every objective survive, the most isolated first. "
            "The chosen one adds most hypervolume.",
            "https://doi.org/10.1109/4235.996017",
            "published",
        ),
        Part(
            "netscore",
            "NetScore",
            "One score from accuracy, parameters and multiply-adds; the highest survives. "
            "Accuracy weighs four times as much as parameters or multiply-adds.",
            "https://arxiv.org/abs/1806.05512",
            "published",
        ),
    )
)

OBJECTIVES = ("accuracy", "parameters", "macs", "bytes", "latency")

AUGMENTATIONS: dict[str, Part] = index(
    (
        Part(
            "none",
            "None",
            "Images are shown as they are. The fastest, and enough for few epochs.",
            LENET_PAPER,
            "published",
            default=True,
        ),
        Part(
            "shift",
            "Shift",
            "Images are moved by up to an eighth of their size. Right for digits and signs.",
            LENET_PAPER,
            "published, among other distortions",
        ),
        Part(
            "flip-shift",
            "Flip and shift",
            "Shifted, and mirrored half of the time. Right for natural photographs.",
            "https://papers.nips.cc/paper/4824",
            "published",
        ),
        Part(
            "photo",
            "Photograph",
            "Mirrored, zoomed, shifted and seen in other light, as detectors are trained. "
            "Right for photographs when there is time for many epochs.",
            "https://arxiv.org/abs/1612.08242",
            "published",
        ),
    )
)

PRECISIONS: dict[str, Part] = index(
    (
        Part(
            "float32",
            "float32",
            "Everything in 32 bits. Fast on every processor, and right for small networks.",
            "https://doi.org/10.1109/IEEESTD.2019.8766229",
            "published",
            default=True,
        ),
        Part(
            "bfloat16",
            "bfloat16, mixed",
            "Layers compute in 16 bits; weights, gradients and losses stay in 32. Made for graphics cards and for "
            "processors with AVX512-BF16 or AMX, where large networks train faster; many times slower on others.",
            "https://arxiv.org/abs/1905.12322",
            "published",
        ),
    )
)
