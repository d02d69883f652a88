"""What can be chosen for a run, in words: one entry for each registered part.

This is the one place where a part's name, plain description and source stand. The
engine's registries bind code to these entries, the command line prints them and the
run form shows them; a test walks both sides, so neither can drift. No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .base_networks import ARCHITECTURES, OWN  # noqa: F401  (part of the catalogue)

PAPER = "https://arxiv.org/abs/1801.05387"  # StressedNets
CLUSTER_PAPER = "https://arxiv.org/abs/1609.01360"  # cluster-driven genetic encoding
MATING_PAPER = "https://arxiv.org/abs/1709.02043"  # sexual (two-parent) synthesis
ENVIRONMENT_PAPER = "https://arxiv.org/abs/1802.03318"  # environmental factors studied


@dataclass(frozen=True)
class Parameter:
    """One number that a part takes: its range is inclusive on both sides."""

    name: str
    default: float
    minimum: float
    maximum: float
    summary: str


@dataclass(frozen=True)
class Part:
    """A choice: `summary` is at most two sentences in plain words; `source` a link or ''
    where the formalisation is our own (then the summary's maker says so in `origin`)."""

    name: str
    label: str
    summary: str
    source: str = ""
    origin: str = "our formalisation"
    parameters: tuple[Parameter, ...] = ()
    default: bool = False


def _index(parts: tuple) -> dict:
    return {part.name: part for part in parts}


# --- stress signals -----------------------------------------------------------------

_STRENGTH = Parameter("strength", 1.0, 0.0, 10.0, "How hard the signal pulls at its peak.")

STRESSES: dict[str, Part] = _index(
    (
        Part(
            "death-list",
            "Death list",
            "Who will die is drawn first; in gestation the doomed clusters fade to zero and stay there. "
            "The network learns to live without them before they are cut.",
            PAPER,
            "our formalisation of the paper's idea",
            (Parameter("fade", 0.8, 0.05, 1.0, "Share of gestation over which the doomed fade to zero."),),
            default=True,
        ),
        Part(
            "rehearsal",
            "Rehearsal",
            "At each step the doomed are silenced at random in the forward pass, more and more often. "
            "A rehearsal of the death to come, with their weights kept until it comes.",
            PAPER,
            "our formalisation",
            (Parameter("peak", 1.0, 0.05, 1.0, "Chance of silence at the end."),),
        ),
        Part(
            "weakening",
            "Weakening",
            "Every few steps victims are drawn from the current probabilities and their synapses weakened. "
            "Probabilities follow the weights, so the trauma is inherited.",
            PAPER,
            "our formalisation",
            (
                Parameter("factor", 0.5, 0.0, 0.99, "What a weakened synapse is multiplied by."),
                Parameter("every", 10, 1, 10000, "Steps between two blows."),
            ),
        ),
        Part(
            "pressure",
            "Pressure",
            "A steady pull towards zero on clusters and synapses, stronger the less likely they are to live. "
            "Too much of it collapses a network; watch the shock.",
            PAPER,
            "our formalisation",
            (_STRENGTH,),
        ),
        Part(
            "random",
            "Random (control)",
            "The same dose as a death list, on clusters drawn blind to their probabilities. "
            "If this does as well as a method, the method adds nothing.",
            "",
            "control",
            (Parameter("fade", 0.8, 0.05, 1.0, "Share of gestation over which the drawn fade to zero."),),
        ),
        Part(
            "none",
            "None (control)",
            "Gestation trains unstressed: the same epochs and the same draw, without any warning. "
            "The arm that every claim about stress is measured against.",
            "",
            "control",
        ),
    )
)

SCHEDULES: dict[str, Part] = _index(
    (
        Part("constant", "Constant", "Full strength from the first step to the last.", default=True),
        Part("ramp", "Ramp", "Rises evenly from nothing to full strength over gestation."),
        Part(
            "pulses",
            "Pulses",
            "Full strength in evenly spaced bursts with calm between them.",
            "",
            "our formalisation",
            (
                Parameter("count", 4, 1, 100, "How many bursts."),
                Parameter("duty", 0.5, 0.05, 1.0, "Share of each period spent under stress."),
            ),
        ),
    )
)

# --- environment --------------------------------------------------------------------

_FACTOR = Parameter("factor", 0.6, 0.05, 1.0, "Share that may live in each generation.")

ENVIRONMENTS: dict[str, Part] = _index(
    (
        Part(
            "constant",
            "Constant",
            "Every generation may keep the same share of the resource. "
            "A lower share loses size faster and accuracy sooner.",
            ENVIRONMENT_PAPER,
            "published, calibrated to an exact budget",
            (_FACTOR,),
            default=True,
        ),
        Part(
            "scheduled",
            "Scheduled",
            "One share for each generation, in order; the last one repeats. "
            "Gentle first and harsh later, or the other way round.",
            ENVIRONMENT_PAPER,
            "our formalisation",
        ),
        Part(
            "per-layer",
            "Per layer",
            "A share for each layer that you name, and one for all the others. "
            "For when you know which layers are too wide.",
            ENVIRONMENT_PAPER,
            "our formalisation",
            (_FACTOR,),
        ),
        Part(
            "target",
            "Target",
            "Reach N times smaller by the last generation: the share of each is solved for. "
            "The easiest to think in when a device sets the limit.",
            "",
            "our formalisation",
            (Parameter("times", 10.0, 1.0, 1000.0, "How many times smaller than the ancestor at the end."),),
        ),
    )
)

RESOURCES: dict[str, Part] = _index(
    (
        Part(
            "clusters",
            "Clusters",
            "The share counts synaptic clusters (filters and neurons) in every layer.",
            CLUSTER_PAPER,
            "published",
            default=True,
        ),
        Part("parameters", "Parameters", "The share counts weights and biases of the whole network."),
        Part("macs", "Multiply-adds", "The share counts multiply-adds of one image (one multiply-add is one)."),
        Part("bytes", "Bytes", "The share counts bytes of the saved network."),
        Part(
            "latency",
            "Latency",
            "The share counts measured time for one image on one thread of the worker. "
            "Measured time varies, so such a run is not bit-reproducible.",
        ),
    )
)

# --- genome, heredity, selection ----------------------------------------------------

ENCODINGS: dict[str, Part] = _index(
    (
        Part(
            "cluster",
            "Clusters",
            "Whole clusters live or die together, so offspring are really smaller and faster.",
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

STRENGTHS: dict[str, Part] = _index(
    (
        Part(
            "sum",
            "Sum of magnitudes",
            "The sum of a cluster's weight magnitudes above a threshold.",
            CLUSTER_PAPER,
            "published",
            default=True,
        ),
        Part("l2", "L2 norm", "The root of the sum of a cluster's squared weights."),
        Part(
            "batch-norm",
            "Batch-norm scale",
            "How much batch normalisation amplifies the cluster; where a layer has none, its L2 norm.",
            "https://arxiv.org/abs/1708.06519",
            "published",
        ),
        Part(
            "taylor",
            "First-order Taylor",
            "How much the loss would rise without the cluster, estimated from gradients on a few training images.",
            "https://arxiv.org/abs/1611.06440",
            "published",
        ),
    )
)

OPTIMIZERS: dict[str, Part] = _index(
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
            "Adaptive steps with decoupled weight decay.",
            "https://arxiv.org/abs/1711.05101",
            "published",
        ),
        Part("sgd", "SGD", "Stochastic gradient descent with Nesterov momentum 0.9."),
    )
)

INHERITANCES: dict[str, Part] = _index(
    (
        Part("inherited", "Inherited", "Offspring start from their parents' surviving weights.", PAPER, default=True),
        Part(
            "newborn",
            "Newborn",
            "Offspring keep the shape only; their weights are drawn afresh. "
            "A control: it shows what inheritance is worth.",
        ),
    )
)

MATING_WEIGHTS: dict[str, Part] = _index(
    (
        Part(
            "fitness",
            "By fitness",
            "More accurate parents weigh more in the offspring's genome.",
            MATING_PAPER,
            default=True,
        ),
        Part("equal", "Equal", "Every parent weighs the same.", MATING_PAPER),
    )
)

SELECTIONS: dict[str, Part] = _index(
    (
        Part(
            "smallest",
            "Smallest within the drop",
            "The smallest network within the allowed drop in accuracy is kept; if there is none, the most accurate.",
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
            "One score from accuracy, parameters and multiply-adds; the highest survives.",
            "https://arxiv.org/abs/1806.05512",
            "published",
        ),
    )
)

OBJECTIVES = ("accuracy", "parameters", "macs", "bytes", "latency")

AUGMENTATIONS: dict[str, Part] = _index(
    (
        Part("none", "None", "Images are shown as they are.", default=True),
        Part("shift", "Shift", "Images are moved by up to an eighth of their size. Right for digits and signs."),
        Part("flip-shift", "Flip and shift", "Shifted, and mirrored half of the time. Right for natural photographs."),
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
