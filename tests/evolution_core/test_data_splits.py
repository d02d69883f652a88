"""Parts and the store: stratified, by seed, never empty, never mixed; decoded once, shared by processes."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evolution_core.data import Split, inspect, load, statistics
from evolution_core.data.splits import equal_shares, split, spread_over, spread_rows
from evolution_core.data.store import gathered, new_store
from evolution_core.spec import DataError, RunSpec
from tests.evolution_core.pictures import class_files, idx_files, write_folder, write_zip

SPEC = RunSpec(seed=3, input_size=9)


def parts_of(labels, parts=None, *, seed=1, share=0.1, limit=None):
    labels = np.asarray(labels)
    parts = np.zeros(len(labels), np.uint8) if parts is None else np.asarray(parts, np.uint8)
    return split(labels, parts, seed=seed, validation_share=share, limit=limit)


LABELS = np.arange(400) % 4


def test_shares_are_exact_and_stratified():
    train, validation, test = parts_of(LABELS)
    assert (len(train), len(validation), len(test)) == (308, 32, 60)  # 15 of 100, then 8 of 85, for each class
    for rows in (train, validation, test):
        assert len(set(np.bincount(LABELS[rows]).tolist())) == 1


def test_the_datas_own_test_part_is_left_whole():
    parts = [0] * 300 + [2] * 100
    train, validation, test = parts_of(LABELS, parts, limit=40)
    assert test.tolist() == list(range(300, 400))
    assert (len(train), len(validation)) == (36, 4)
    assert max(train.max(), validation.max()) < 300


def test_the_datas_own_validation_part_is_used():
    parts = [0] * 200 + [1] * 100 + [2] * 100
    train, validation, _ = parts_of(LABELS, parts)
    assert validation.tolist() == list(range(200, 300))
    assert len(train) == 200
    limited_train, limited, _ = parts_of(LABELS, parts, limit=30)
    assert (len(limited_train), len(limited)) == (20, 10)
    assert set(limited) <= set(range(200, 300))


def test_the_seed_decides_and_nothing_else():
    first, again, other = parts_of(LABELS, seed=1), parts_of(LABELS, seed=1), parts_of(LABELS, seed=2)
    torch.rand(3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[2], other[2])


def test_a_limit_takes_equal_shares_as_far_as_they_go():
    labels = np.repeat([0, 1, 2], [1000, 10, 1000])
    train, validation, _ = parts_of(labels, np.where(np.arange(2010) % 10 == 9, 2, 0), limit=100)
    assert np.bincount(labels[np.concatenate([train, validation])]).tolist() == [46, 9, 45]


def test_every_class_with_two_images_is_validated():
    labels = np.repeat([0, 1, 2], [50, 2, 1])
    parts = np.zeros(53)
    train, validation, _ = parts_of(np.append(labels, 0), np.append(parts, 2))
    assert np.bincount(labels[validation], minlength=3).tolist() == [5, 1, 0]
    assert np.bincount(labels[train], minlength=3).tolist() == [45, 1, 1]


def test_a_part_that_would_be_empty_is_refused():
    with pytest.raises(DataError, match="too few images for a validation part"):
        parts_of([0, 1, 0], [0, 0, 2])


@given(
    st.lists(st.integers(0, 5), min_size=12, max_size=200),
    st.integers(0, 99),
    st.floats(0.01, 0.5),
    st.none() | st.integers(10, 300),
)
def test_parts_never_overlap_and_are_never_empty(labels, seed, share, limit):
    labels = np.concatenate([np.asarray(labels), [0, 0, 0]])
    found = parts_of(labels, seed=seed, share=share, limit=limit)
    rows = np.concatenate(found)
    assert len(set(rows.tolist())) == len(rows)
    assert all(len(part) for part in found)
    assert all((np.diff(part) > 0).all() for part in found)
    if limit is None:
        assert len(rows) == len(labels)
    else:
        assert len(found[0]) + len(found[1]) == min(limit, len(labels) - len(found[2]))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(0, 400))
def test_equal_shares_sum_and_are_level(sizes, total):
    taken = equal_shares(sizes, total)
    assert sum(taken) == min(total, sum(sizes))
    assert all(0 <= count <= size for count, size in zip(taken, sizes, strict=True))
    unfilled = [count for count, size in zip(taken, sizes, strict=True) if count < size]
    assert not unfilled or min(unfilled) >= max(taken) - 1


# --- from files to parts ----------------------------------------------------------------------


def test_loading_is_a_function_of_content_and_spec(tmp_path):
    first = load(write_zip(tmp_path / "a.zip", class_files(each=20)), spec=SPEC)
    again = load(write_zip(tmp_path / "b.zip", class_files(each=20)), spec=SPEC)
    other = load(tmp_path / "b.zip", spec=SPEC.replace(seed=4))
    assert torch.equal(first.train.images, again.train.images)
    assert torch.equal(first.test.targets, again.test.targets)
    assert not torch.equal(first.test.images, other.test.images)
    assert first.classes == ("cat", "dog")
    assert first.train.images.dtype == torch.uint8
    assert first.train.targets.dtype == torch.int64


def test_images_and_labels_stay_together(tmp_path):
    data = load(write_folder(tmp_path, idx_files(train=200)), spec=SPEC.replace(limit=50))
    images = idx_images(tmp_path)
    for part in (data.train, data.validation):
        for image, label in zip(part.images, part.targets, strict=True):
            assert label == images.index(image.numpy().tobytes()) % 4


def idx_images(folder) -> list[bytes]:
    content = (folder / "train-images-idx3-ubyte").read_bytes()[16:]
    return [content[81 * i : 81 * i + 81] for i in range(len(content) // 81)]


def test_mean_and_spread_are_of_the_training_pixels_alone(tmp_path):
    data = load(write_folder(tmp_path, class_files(each=30, size=(9, 9))), spec=SPEC)
    scaled = data.train.images.double() / 255
    assert torch.allclose(data.mean.double(), scaled.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(data.std.double(), scaled.std((0, 2, 3), correction=0), atol=1e-6)


def test_a_constant_channel_does_not_divide_by_nothing():
    mean, std = statistics(torch.full((3, 1, 4, 4), 51, dtype=torch.uint8))
    assert mean.item() == pytest.approx(0.2)
    assert std.item() == pytest.approx(1 / 255)


def test_rows_are_spread_evenly_and_in_order():
    assert spread_rows(3, 10) == [0, 1, 2]
    assert spread_rows(10, 4) == [0, 2, 5, 7]
    assert len(spread_rows(60_000, 10_000)) == 10_000


def test_images_are_spread_over_the_part():
    part = Split(torch.arange(10, dtype=torch.uint8)[:, None, None, None], [torch.full((1, 5), i) for i in range(10)])
    chosen = spread_over(part, 4)
    assert chosen.images.flatten().tolist() == [0, 2, 5, 7]
    assert [int(target[0, 0]) for target in chosen.targets] == [0, 2, 5, 7]
    assert spread_over(part, 10) is part


# --- the store --------------------------------------------------------------------------------


def test_the_cache_is_used_and_gives_the_same(tmp_path):
    source, cache = write_zip(tmp_path / "d.zip", class_files(each=20)), tmp_path / "cache"
    found = inspect(source)
    plain = load(source, spec=SPEC)
    first = load(source, spec=SPEC, cache=cache)
    source.unlink()
    again = load(source, spec=SPEC, cache=cache, inspection=found)
    for data in (first, again):
        assert data.fingerprint == plain.fingerprint == found.fingerprint
        for part in ("train", "validation", "test"):
            assert torch.equal(getattr(data, part).images, getattr(plain, part).images)
            assert torch.equal(getattr(data, part).targets, getattr(plain, part).targets)
    assert len(list(cache.iterdir())) == 1


def test_sizes_and_contents_have_stores_of_their_own(tmp_path):
    source, cache = write_zip(tmp_path / "d.zip", class_files(each=20)), tmp_path / "cache"
    load(source, spec=SPEC, cache=cache)
    load(source, spec=SPEC.replace(input_size=12), cache=cache)
    load(source, spec=SPEC.replace(seed=9), cache=cache)  # the same store, other parts
    load(write_zip(tmp_path / "e.zip", class_files(each=21)), spec=SPEC, cache=cache)
    assert len(list(cache.iterdir())) == 3


def test_a_damaged_store_is_made_again(tmp_path):
    source, cache = write_zip(tmp_path / "d.zip", class_files(each=20)), tmp_path / "cache"
    wanted = load(source, spec=SPEC, cache=cache).train.images.clone()
    (store,) = cache.iterdir()
    for damage in (lambda: (store / "store.json").unlink(), lambda: (store / "images.npy").write_bytes(b"x")):
        damage()
        assert torch.equal(load(source, spec=SPEC, cache=cache).train.images, wanted)
    shutil.rmtree(store)
    store.mkdir()
    assert torch.equal(load(source, spec=SPEC, cache=cache).train.images, wanted)


def test_two_at_once_do_not_collide(tmp_path):
    source, cache = write_zip(tmp_path / "d.zip", class_files(each=20)), tmp_path / "cache"
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: load(source, spec=SPEC, cache=cache), range(4)))
    assert all(torch.equal(data.train.images, made[0].train.images) for data in made)
    assert len(list(cache.iterdir())) == 1


def test_a_failure_leaves_nothing_behind(tmp_path):
    source, cache = write_zip(tmp_path / "d.zip", class_files(each=20)), tmp_path / "cache"
    good = inspect(source)
    source.unlink()
    write_zip(source, class_files(each=20) | {"cat/3.png": b"broken"})
    with pytest.raises(DataError, match=r"cat/3\.png"):
        load(source, spec=SPEC, cache=cache, inspection=good)
    assert list(cache.iterdir()) == []


def test_the_store_is_mapped_not_held(tmp_path):
    source = write_zip(tmp_path / "d.zip", class_files(each=20))
    load(source, spec=SPEC, cache=tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    assert json.loads((folder / "store.json").read_text())["images"] == 40
    images = np.arange(5 * 12, dtype=np.uint8).reshape(5, 3, 2, 2)

    def fill(target):
        target[:] = images

    store = new_store(tmp_path / "s", images.shape, np.zeros(5, np.int64), np.zeros(5, np.uint8), ["a"], fill)
    assert isinstance(store.images, np.memmap)
    assert np.shares_memory(gathered(store, np.array([1, 2, 3])), store.images)
    scattered = gathered(store, np.array([0, 2, 4]), mapped_from=1)
    assert isinstance(scattered, np.memmap)
    assert np.array_equal(scattered, images[[0, 2, 4]])
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "images.npy",
        "labels.npy",
        "parts.npy",
        "store.json",
    ]
