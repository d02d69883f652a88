"""The commands that work on one network file: measure and export."""

from __future__ import annotations

import argparse

EXPORTS = {"onnx": None, "genome": None}


def measure_command(options: argparse.Namespace) -> int:
    raise NotImplementedError


def export_command(options: argparse.Namespace) -> int:
    raise NotImplementedError
