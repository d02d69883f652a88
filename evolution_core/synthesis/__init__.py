"""Synthesis: drawing offspring from genomes, mating, surgery, the proof after it, and repair."""

from .masking import apply_mask, cut_masks, draw_masks, living_synapses
from .mating import Mating, mate
from .proof import Proof, prove
from .repair import Repaired, repair
from .sampling import Draw, draw_offspring, gumbel_keys
from .surgery import cut, dropout_rates, set_dropout_rates, silence

__all__ = [
    "Draw",
    "Mating",
    "Proof",
    "Repaired",
    "apply_mask",
    "cut",
    "cut_masks",
    "draw_masks",
    "draw_offspring",
    "dropout_rates",
    "gumbel_keys",
    "living_synapses",
    "mate",
    "prove",
    "repair",
    "set_dropout_rates",
    "silence",
]
