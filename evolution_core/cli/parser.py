"""The grammar of the command line."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from .. import __version__
from .options import add_spec_options


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence; the usage is a --help away."""

    def error(self, message: str) -> NoReturn:
        print(f"eustress: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


class Explained(argparse.HelpFormatter):
    """Help texts may hold line breaks: each line is wrapped by itself, so that choices stand under each other."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return [line for part in text.splitlines() for line in super(Explained, self)._split_lines(part, width)]


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m evolution_core",
        description="Breed small, fast descendants of a trained network by stress-induced evolutionary synthesis.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"eustress {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    _add_evolve(commands)
    _add_listings(commands)
    _add_measure(commands)
    _add_export(commands)
    return parser


def _add_evolve(commands: argparse._SubParsersAction) -> None:
    from .evolve import evolve_command

    evolve = commands.add_parser(
        "evolve",
        help="evolve a network on your images",
        description="Train an ancestor on your images and evolve smaller descendants, generation by generation. "
        "Writes DIR/lineage.json and one safetensors file for each network. Interrupt it when you like: "
        "the same command, or --resume DIR, goes on and ends with the same networks, bit for bit.",
        usage="%(prog)s --data PATH --out DIR [option ...]\n       %(prog)s --data PATH --dry-run [option ...]\n"
        "       %(prog)s --resume DIR",
        formatter_class=Explained,
        allow_abbrev=False,
    )
    evolve.set_defaults(command=evolve_command)
    where = evolve.add_argument_group("Data and output")
    where.add_argument(
        "--data",
        metavar="PATH",
        help="Images: a folder or zip of class folders, idx files (gzipped or not), .npz; or pictures with boxes: "
        "Pascal VOC, COCO JSON, YOLO text. Boxes that cannot be used are left out.",
    )
    where.add_argument("--out", metavar="DIR", help="Folder for the results; made if missing.")
    where.add_argument("--resume", metavar="DIR", help="Go on with the run in DIR, with its own spec and data.")
    where.add_argument("--spec", metavar="FILE.json", help="A run's spec; options given here override its fields.")
    where.add_argument(
        "--threads",
        metavar="N",
        help="Processor threads; results are bit-identical for equal seeds and threads. (default: the cores, up to 8)",
    )
    where.add_argument(
        "--dry-run",
        action="store_true",
        help="Train nothing: show what would be born, layer by layer, and what time and disk it would take.",
    )
    where.add_argument("--quiet", action="store_true", help="Print nothing but refusals.")
    add_spec_options(evolve)


def _add_listings(commands: argparse._SubParsersAction) -> None:
    from .listings import LISTINGS, list_command

    for name, listing in LISTINGS.items():
        parser = commands.add_parser(name, help=listing.help, description=listing.help, allow_abbrev=False)
        parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
        parser.set_defaults(command=list_command, listing=name)


def _add_measure(commands: argparse._SubParsersAction) -> None:
    from .files import measure_command

    measure = commands.add_parser(
        "measure",
        help="measure a network file",
        description="Count a network's parameters, multiply-adds and bytes, and time it in ONNX Runtime.",
        allow_abbrev=False,
    )
    measure.add_argument("file", metavar="FILE", help="A network: safetensors as evolve writes it.")
    measure.add_argument("--against", metavar="FILE", help="Another network, its ancestor say, timed in the same run.")
    measure.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
    measure.set_defaults(command=measure_command)


def _add_export(commands: argparse._SubParsersAction) -> None:
    from .files import EXPORTS, INTEGERS, export_command

    export = commands.add_parser(
        "export",
        help="write a network in another format",
        description="Write a network as ONNX (checked against PyTorch's output) or its genome as JSON.",
        allow_abbrev=False,
    )
    export.add_argument("file", metavar="FILE", help="A network: safetensors as evolve writes it.")
    export.add_argument(
        "--format",
        required=True,
        choices=[*EXPORTS, INTEGERS],
        help="onnx, onnx-nms (a detector that answers boxes: decoding and suppression are inside), genome (JSON), or "
        "onnx-int8 (8-bit integers, down to a quarter of the size).",
    )
    export.add_argument("--data", metavar="PATH", help="For onnx-int8: the images it was trained on set its steps.")
    export.add_argument("--out", required=True, metavar="PATH", help="The file to write.")
    export.set_defaults(command=export_command)
