"""The engine's refusals. Each carries what a person needs: what is wrong, where, what to do."""

from __future__ import annotations


class EustressError(Exception):
    """Base of every expected refusal: the command line prints it as one sentence and exits with 2."""


class SpecError(EustressError):
    """An impossible spec. `problems` maps a field's name to a sentence."""

    def __init__(self, problems: dict[str, str]):
        self.problems = problems
        super().__init__("; ".join(f"{name}: {text}" for name, text in problems.items()))


class DataError(EustressError):
    """Data that cannot be used. `problems` lists (file or '', sentence), the first is the worst."""

    def __init__(self, problems: list[tuple[str, str]] | str, file: str = ""):
        self.problems = [(file, problems)] if isinstance(problems, str) else problems
        shown = [f"{name}: {text}" if name else text for name, text in self.problems[:3]]
        more = len(self.problems) - len(shown)
        super().__init__("; ".join(shown) + (f" (and {more} more)" if more > 0 else ""))


class NetworkError(EustressError):
    """A network file that cannot be read, traced or evolved; names the operator or tensor."""


class TrainingError(EustressError):
    """Training that cannot go on (a loss that is no number, a batch that a network cannot take); says where."""
