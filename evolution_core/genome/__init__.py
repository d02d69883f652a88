"""Genomes: which synapses live or die together, how likely each is to live, and how a network is kept."""

from .clusters import ClusterLayer, ClusterMap
from .files import LoadedNetwork, ancestor_of, load_network, read_genome, rebuild, save_network
from .genome import Genome
from .probability import cluster_probability, probability_of, synapse_probability
from .strength import STRENGTHS, cluster_strength, taylor_strength
from .tracing import trace_clusters

__all__ = [
    "STRENGTHS",
    "ClusterLayer",
    "ClusterMap",
    "Genome",
    "LoadedNetwork",
    "ancestor_of",
    "cluster_probability",
    "cluster_strength",
    "load_network",
    "probability_of",
    "read_genome",
    "rebuild",
    "save_network",
    "synapse_probability",
    "taylor_strength",
    "trace_clusters",
]
