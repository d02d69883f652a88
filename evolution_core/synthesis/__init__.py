"""Synthesis: drawing offspring from genomes, mating, surgery, the proof after it, and repair."""

from .proof import Proof, prove
from .surgery import cut, dropout_rates, set_dropout_rates, silence

__all__ = ["Proof", "cut", "dropout_rates", "prove", "set_dropout_rates", "silence"]
