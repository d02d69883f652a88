"""Synthesis: drawing offspring from genomes, mating, surgery, the proof after it, and repair."""

from .proof import Proof, prove
from .sampling import Draw, draw, draw_offspring
from .surgery import cut, dropout_rates, set_dropout_rates, silence

__all__ = ["Draw", "Proof", "cut", "draw", "draw_offspring", "dropout_rates", "prove", "set_dropout_rates", "silence"]
