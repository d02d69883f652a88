"""Genomes: which synapses live or die together, how likely each is to live, and how a network is kept."""

from .clusters import ClusterLayer, ClusterMap
from .probability import cluster_probability, probability_of, synapse_probability
from .strength import STRENGTHS, cluster_strength, taylor_strength
from .tracing import trace_clusters

__all__ = [
    "STRENGTHS",
    "ClusterLayer",
    "ClusterMap",
    "cluster_probability",
    "cluster_strength",
    "probability_of",
    "synapse_probability",
    "taylor_strength",
    "trace_clusters",
]
