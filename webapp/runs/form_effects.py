"""What more or less of a setting does, in plain words: said beside its input. A setting without a line here has only
its own description."""

from __future__ import annotations

EFFECTS: dict[str, str] = {
    "generations": "More go further, in gentler steps; each is another round of training.",
    "offspring": "More give the survivors a wider choice, and take as much longer.",
    "max_drop": "More allows a smaller network to be chosen.",
    "seed": "Another seed draws other deaths: three of them show what is luck.",
    "epochs": "More: more accurate, and longer. Offspring start from what their parent knows and need few.",
    "last_epochs": "The last growth decides what you take away; twice the others' is a good start.",
    "ancestor_epochs": "The ancestor is what all are measured against: give it time to learn all it can.",
    "limit": "Fewer images: a quick answer, and a lower accuracy.",
    "gestation": "More: a milder shock at the cut; less: more time to recover after it.",
    "input_size": "Larger shows more detail; time grows with its square.",
    "width": "Narrower trains faster, and leaves less to remove.",
    "survivors": "More keep the lineage varied; one goes straight for the best.",
    "parents": "With two or more, offspring join what their parents learnt apart.",
    "candidates": "More find a better draw, and cost an evaluation each.",
    "elitism": "A generation that failed does not end its line.",
    "patience": "Saves the time of generations that bring nothing new.",
    "minimum_clusters": "Higher protects thin layers; lower allows the smallest networks.",
    "width_multiple": "Higher runs faster on most processors; 1 follows the environment to the cluster.",
    "learning_rate": "Too high goes astray, too low learns nothing in time.",
    "weight_decay": "More keeps weights small, and small weights die first.",
    "batch_size": "Larger: fewer, steadier steps, and more memory.",
    "validation_share": "More compares networks more surely, and leaves fewer images to learn from.",
    "progressive_size": "Half the size costs a quarter.",
    "distillation": "A half gave half a point more at a fifteenth of the size; costs the ancestor's pass at each step.",
    "precision": "Try both in a dry run, which measures the pace here.",
    "threshold": "Higher ignores the many weak synapses of a cluster.",
    "sharpness": "Higher: the strong live for sure; lower: more is left to chance.",
    "synapse_share": "Lower leaves sparser networks, of the same shape and speed.",
    "repair": "A milder shock for some seconds of work; most use where much is cut at once.",
    "repair_images": "More fit better, and take longer.",
}
