"""What the form suggests for data: many small epochs for few photographs, the preset itself for many."""

from __future__ import annotations

from typing import Any

import pytest

from evolution_core.spec import RunSpec
from tests.webapp.factories import make_dataset
from webapp.runs.suggestions import ENOUGH, MOST, epochs_factor, suited


def data(team: Any, images: int, channels: int = 3, **fields: Any) -> Any:
    report = {"classes": [{"name": n, "train": images // 2, "test": 10} for n in "ab"], "channels": channels}
    return make_dataset(team, report=report, **fields)


@pytest.mark.parametrize(("images", "expected"), [(60_000, 1), (2_000, 6), (20, MOST)])
def test_epochs_make_up_for_few_images(team: Any, images: int, expected: int) -> None:
    assert epochs_factor(RunSpec(), data(team, images)) == expected


def test_colour_photographs_get_a_network_and_an_augmentation_that_suit_them(team: Any) -> None:
    spec = suited(RunSpec(last_epochs=3), data(team, 400))
    assert (spec.architecture, spec.augmentation) == ("alexnet-small", "flip-shift")
    assert spec.epochs * 360 >= ENOUGH
    assert spec.last_epochs == spec.epochs / 2 * 3


def test_gray_images_and_what_was_chosen_stay_as_they_are(team: Any) -> None:
    assert suited(RunSpec(), data(team, 60_000, channels=1)) == RunSpec()
    chosen = RunSpec(architecture="resnet20", augmentation="shift")
    assert suited(chosen, data(team, 60_000)) == chosen
    assert suited(RunSpec(), None) == RunSpec()


def test_the_form_begins_with_what_suits_its_data(client_of: Any, ada: Any, team: Any) -> None:
    few = data(team, 400)
    page = client_of(ada).get(f"/runs/new/?dataset={few.pk}")
    form = page.context["form"]
    assert form["architecture"].value() == "alexnet-small"
    assert float(form["epochs"].value()) == suited(RunSpec(), few).epochs
    assert f"preset=careful&amp;dataset={few.pk}" in page.content.decode()
