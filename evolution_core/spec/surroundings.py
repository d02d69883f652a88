"""What is imposed on networks from outside, in words: stress and its schedules, environments and resources."""

from __future__ import annotations

from .part import CLUSTER_PAPER, ENVIRONMENT_PAPER, LATENCY_PAPER, PAPER, RESOURCE_PAPER, Parameter, Part, index

# --- stress signals -----------------------------------------------------------------

_STRENGTH = Parameter("strength", 1.0, 0.0, 10.0, "How hard the signal pulls at its peak.")

STRESSES: dict[str, Part] = index(
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
            "https://arxiv.org/abs/1801.10447",
            "control",
            (Parameter("fade", 0.8, 0.05, 1.0, "Share of gestation over which the drawn fade to zero."),),
        ),
        Part(
            "none",
            "None (control)",
            "Gestation trains unstressed: the same epochs and the same draw, without any warning. "
            "The arm that every claim about stress is measured against.",
            PAPER,
            "control",
        ),
    )
)

SCHEDULES: dict[str, Part] = index(
    (
        Part(
            "constant",
            "Constant",
            "Full strength from the first step to the last. Signals that rise by themselves still do.",
            PAPER,
            default=True,
        ),
        Part(
            "ramp",
            "Ramp",
            "Rises evenly from nothing to full strength over gestation. The network is warned gently and hit late.",
            "https://arxiv.org/abs/1710.01878",
        ),
        Part(
            "pulses",
            "Pulses",
            "Full strength in evenly spaced bursts with calm between them. "
            "Each calm gives the network time to recover before the next trauma.",
            PAPER,
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

ENVIRONMENTS: dict[str, Part] = index(
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
            "Reach N times smaller by a generation, or by the last: the share of each is solved for. "
            "The easiest to think in when a device sets the limit.",
            LATENCY_PAPER,
            "our formalisation",
            (
                Parameter("times", 10.0, 1.0, 1000.0, "How many times smaller than the ancestor."),
                Parameter("by", 0, 0, 50, "Generation that reaches it; later ones keep the size. 0: the last one."),
            ),
        ),
    )
)

RESOURCES: dict[str, Part] = index(
    (
        Part(
            "clusters",
            "Clusters",
            "The share counts synaptic clusters (filters and neurons) in every layer. "
            "Every layer narrows alike, and the network shrinks with about the square of the share.",
            CLUSTER_PAPER,
            "published",
            default=True,
        ),
        Part(
            "parameters",
            "Parameters",
            "The share counts weights and biases of the whole network. For when memory or a download sets the limit.",
            RESOURCE_PAPER,
        ),
        Part(
            "macs",
            "Multiply-adds",
            "The share counts multiply-adds of one image (one multiply-add is one). "
            "For when time or energy sets the limit and the device is not at hand.",
            RESOURCE_PAPER,
        ),
        Part(
            "bytes",
            "Bytes",
            "The share counts bytes of the saved network. "
            "Much like parameters, with what is saved beside them, such as batch-norm statistics.",
            RESOURCE_PAPER,
        ),
        Part(
            "latency",
            "Latency",
            "The share counts measured time for one image on one thread of the worker. "
            "Measured time varies, so such a run is not bit-reproducible.",
            LATENCY_PAPER,
        ),
    )
)
