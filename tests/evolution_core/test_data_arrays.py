"""idx and npz: pairs found by name, shapes and ranges told apart, every mistake named by file."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from evolution_core.data import inspect, load
from evolution_core.spec import RunSpec
from tests.evolution_core.pictures import class_files, idx, idx_files, pixels, write_folder, write_npz, write_zip

SPEC = RunSpec(seed=3, input_size=9)


def problem(source) -> str:
    found = inspect(source)
    assert found.fatal
    return " | ".join(f"{file}: {sentence}" for file, sentence in found.problems)


def uploaded(tmp_path, files: dict[str, bytes]) -> list:
    """As the browser's files arrive: original names beside paths that say nothing."""
    pairs = []
    for number, (name, content) in enumerate(files.items()):
        path = tmp_path / f"upload{number}"
        path.write_bytes(content)
        pairs.append((name, path))
    return pairs


def give(tmp_path, way: str, files: dict[str, bytes]):
    if way == "folder":
        return write_folder(tmp_path / "d", files)
    if way == "zip":
        return write_zip(tmp_path / "d.zip", {f"mnist/{name}": content for name, content in files.items()})
    if way == "file":
        return write_folder(tmp_path / "d", files) / next(iter(files))
    return uploaded(tmp_path, files)


# --- idx ------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("way", ["folder", "zip", "file", "uploads"])
def test_idx_files_find_each_other(tmp_path, way, zipped):
    source = give(tmp_path, way, idx_files(zipped=zipped))
    found = inspect(source)
    assert not found.fatal, found.problems
    assert [(c.name, c.train, c.test) for c in found.classes] == [
        ("0", 10, 3),
        ("1", 10, 3),
        ("2", 10, 2),
        ("3", 10, 2),
    ]
    assert (found.channels, found.default_input, found.sizes.shared) == (1, 9, True)
    data = load(source, spec=SPEC)
    assert torch_equal(data.test.images, pixels(10, (10, 9, 9), 1)[:, None])
    assert data.test.targets.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert len(data.train) + len(data.validation) == 40


def torch_equal(tensor, array) -> bool:
    return np.array_equal(tensor.numpy(), array)


@pytest.mark.parametrize(
    "style", ["train-images.idx3-ubyte", "emnist-letters-train-images-idx3-ubyte", "Train-Images-IDX3-ubyte"]
)
def test_other_spellings(tmp_path, style):
    swapped = style.replace("images", "labels").replace("Images", "Labels").replace("dx3", "dx1").replace("DX3", "DX1")
    files = idx_files(test=0)
    renamed = {style: files["train-images-idx3-ubyte"], swapped: files["train-labels-idx1-ubyte"]}
    assert inspect(write_folder(tmp_path, renamed)).images == 40


def test_an_unpacked_file_beside_its_gzipped_twin_counts_once(tmp_path):
    assert inspect(write_folder(tmp_path, idx_files() | idx_files(zipped=True))).images == 50


def test_no_test_part_is_carved_off(tmp_path):
    data = load(write_folder(tmp_path, idx_files(test=0)), spec=SPEC)
    assert len(data.test) == 8  # 15 % of 10, for each of 4 classes, rounded
    assert len(data.train) + len(data.validation) == 32


def test_labels_from_one_keep_their_names(tmp_path):
    files = idx_files(test=0) | {"train-labels-idx1-ubyte": idx(np.arange(40) % 4 + 1)}
    found = inspect(write_folder(tmp_path, files))
    assert [c.name for c in found.classes] == ["1", "2", "3", "4"]
    assert load(tmp_path, spec=SPEC).train.targets.min() == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"train-labels-idx1-ubyte": None},
            "train-images-idx3-ubyte: comes without its labels; train-labels-idx1-ubyte",
        ),
        ({"train-images-idx3-ubyte": None}, "train-labels-idx1-ubyte: comes without its images"),
        ({"t10k-labels-idx1-ubyte": None}, "t10k-images-idx3-ubyte: comes without its labels"),
        ({"train-labels-idx1-ubyte": idx(np.arange(39) % 4)}, "train-labels-idx1-ubyte: holds 39 labels, but"),
        (
            {"train-labels-idx1-ubyte": idx([7] + [0, 1, 2] * 13)},
            "train-labels-idx1-ubyte: holds the label 7, which is out",
        ),
        ({"t10k-labels-idx1-ubyte": idx([4] * 10)}, "t10k-labels-idx1-ubyte: holds the label 4, which is out of range"),
        ({"train-labels-idx1-ubyte": idx([0] * 40)}, "holds one class only"),
        ({"t10k-images-idx3-ubyte": idx(pixels(1, (10, 8, 9), 1))}, "holds images of 9x8 pixels, but train-images"),
        ({"train-images-idx3-ubyte": b"hello"}, "train-images-idx3-ubyte: is not an idx file"),
        ({"train-images-idx3-ubyte": idx(pixels(1, (40, 9, 9), 1), kind=13)}, "does not hold unsigned bytes"),
        (
            {"train-images-idx3-ubyte": idx(pixels(1, (40, 9, 9), 1))[:-1]},
            "is cut short: 3,240 bytes were announced, 3,239",
        ),
        ({"train-images-idx3-ubyte": idx(pixels(1, (40, 9, 9), 1)) + b"x"}, "holds more than the 3,240 bytes"),
        ({"train-images-idx3-ubyte": idx(np.zeros((40, 9)))}, "holds a table, neither images nor labels"),
        ({"train-images-idx3-ubyte": idx(np.zeros((40, 0, 9)))}, "holds images of an impossible size"),
        (
            {"extra-images-idx3-ubyte": idx(pixels(1, (2, 9, 9), 1)), "extra-labels-idx1-ubyte": idx([0, 1])},
            "is a second training part",
        ),
        ({"train-images-idx3-ubyte": b"\0\0\x08\x03" + b"\xff" * 12}, "announces more than 64 GB"),
    ],
)
def test_mistakes_in_idx_files_are_refused_by_file(tmp_path, changes, sentence):
    files = {**idx_files(), **changes}
    assert sentence in problem(write_folder(tmp_path, {name: c for name, c in files.items() if c is not None}))


@pytest.mark.parametrize("damage", [lambda c: c[:-20], lambda c: c[:30] + b"\0\0\0" + c[33:], lambda c: c[:12]])
def test_damaged_gzip_is_refused(tmp_path, damage):
    files = idx_files(zipped=True)
    files["train-images-idx3-ubyte.gz"] = damage(files["train-images-idx3-ubyte.gz"])
    assert "train-images-idx3-ubyte.gz: " in problem(write_folder(tmp_path, files))


def test_a_gzip_bomb_stops_at_what_was_announced(tmp_path):
    files = idx_files(zipped=True)
    bomb = gzip.compress(idx(pixels(1, (40, 9, 9), 1)) + bytes(50_000_000))
    files["train-images-idx3-ubyte.gz"] = bomb
    assert "holds more than the 3,240 bytes" in problem(write_folder(tmp_path, files))


def test_only_test_files_are_refused(tmp_path):
    assert "comes without a training part" in problem(write_folder(tmp_path, idx_files(train=0)))


# --- npz ------------------------------------------------------------------------------------


def arrays(count: int = 40, classes: int = 4, channels: int = 3):
    return pixels(count, (count, 9, 9), channels), np.arange(count) % classes


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("images_train", "targets_train", "images_test", "targets_test"),
    ],
)
def test_npz_names(tmp_path, names):
    (x, y), (xt, yt) = arrays(), arrays(10)
    source = write_npz(tmp_path / "d.npz", **dict(zip(names, (x, y, xt, yt), strict=True)))
    found = inspect(source)
    assert not found.fatal, found.problems
    assert [(c.train, c.test) for c in found.classes] == [(10, 3), (10, 3), (10, 2), (10, 2)]
    data = load(source, spec=SPEC)
    assert torch_equal(data.test.images, xt.transpose(0, 3, 1, 2))


def test_npz_with_a_validation_part_and_label_columns(tmp_path):
    (x, y), (xv, yv) = arrays(), arrays(8)
    source = write_npz(
        tmp_path / "d.npz", train_images=x, train_labels=y[:, None], val_images=xv, val_labels=yv[:, None]
    )
    data = load(source, spec=SPEC)
    assert torch_equal(data.validation.images, xv.transpose(0, 3, 1, 2))
    assert len(data.train) + len(data.test) == 40


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("data", "target")])
def test_npz_without_parts(tmp_path, names):
    source = write_npz(tmp_path / "d.npz", **dict(zip(names, arrays(), strict=True)))
    assert len(load(source, spec=SPEC).test) == 8


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda x: x.transpose(0, 3, 1, 2), None),
        (lambda x: np.asfortranarray(x), None),
        (lambda x: x.astype(np.float32) / 255, None),
        (lambda x: x.astype(np.float64), None),
        (lambda x: x.astype(np.int64), None),
        (lambda x: x[..., 0], lambda x: x[..., :1]),
        (lambda x: x[..., :1], lambda x: x[..., :1]),
        (lambda x: np.concatenate([x, np.full((40, 9, 9, 1), 255, np.uint8)], -1), None),
        (lambda x: x[..., 0] > 127, lambda x: ((x[..., :1] > 127) * 255).astype(np.uint8)),
        (lambda x: np.repeat(x[..., :1], 3, -1), lambda x: x[..., :1]),
    ],
)
def test_npz_layouts_and_ranges(tmp_path, change, wanted):
    x, y = arrays()
    source = write_npz(tmp_path / "d.npz", x_train=change(x), y_train=y, x_test=change(x), y_test=y)
    found = inspect(source)
    assert not found.fatal, found.problems
    expected = (wanted or (lambda x: x))(x).transpose(0, 3, 1, 2)
    data = load(source, spec=SPEC)
    assert data.shape[0] == expected.shape[1]
    assert torch_equal(data.test.images, expected)


def test_npz_compressed_one_hot_names_and_text_labels(tmp_path):
    x, y = arrays()
    np.savez_compressed(tmp_path / "a.npz", x=x, y=np.eye(4)[y])
    assert [c.train for c in inspect(tmp_path / "a.npz").classes] == [10] * 4
    named = write_npz(tmp_path / "b.npz", x=x, y=y, class_names=np.array(["ant", "bee", "cat", "dog"]))
    assert [c.name for c in inspect(named).classes] == ["ant", "bee", "cat", "dog"]
    text = write_npz(tmp_path / "c.npz", x=x, y=np.array(["dog10", "dog2", "ant", "Bee"])[y])
    assert [c.name for c in inspect(text).classes] == ["ant", "Bee", "dog2", "dog10"]
    assert load(text, spec=SPEC).classes == ("ant", "Bee", "dog2", "dog10")


X, Y = arrays()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"a": X, "b": Y}, "holds no arrays named x_train and y_train (or images and labels), but a, b"),
        ({"x_test": X, "y_test": Y}, "holds no arrays named x_train"),
        ({"x_train": X}, "x_train: comes without its labels, such as y_train"),
        ({"x_train": X, "y_train": Y[:-1]}, "y_train: holds 39 labels, but x_train 40 images"),
        ({"x_train": X.reshape(40, -1), "y_train": Y}, "x_train: has the shape (40, 243)"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "x_train: holds no images"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :8], "y_test": Y}, "x_test: holds images of 9x8 pixels"),
        ({"x_train": X.astype(float) - 1, "y_train": Y}, "x_train: holds values from -1 to 254"),
        ({"x_train": X * np.nan, "y_train": Y}, "x_train: holds values from nan"),
        ({"x_train": X.astype(np.int32) * 9, "y_train": Y}, "0 to 1 or 0 to 255 are expected"),
        ({"x_train": X.astype(complex), "y_train": Y}, "holds complex128 values"),
        ({"x_train": X, "y_train": Y - 1}, "y_train: holds the label -1, which is out of range"),
        ({"x_train": X, "y_train": Y + 0.5}, "y_train: holds the label 0.5, which is no whole number"),
        ({"x_train": X, "y_train": Y * 2}, "y_train: holds the label 2, which is out of range"),
        (
            {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 3},
            "y_test: holds the label 4, which is out of range",
        ),
        ({"x_train": X, "y_train": np.zeros((40, 3))}, "marks several classes, or none"),
        ({"x_train": X, "y_train": Y, "classes": np.array(["a", "b"])}, "names 2 classes, but its labels number 4"),
        ({"x_train": X, "y_train": Y * 0}, "holds one class only"),
    ],
)
def test_mistakes_in_npz_are_refused_by_array(tmp_path, content, sentence):
    assert sentence in problem(write_npz(tmp_path / "d.npz", **content))


def test_an_npz_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "d.npz").write_bytes(b"hello")
    assert "d.npz: is not a readable zip archive" in problem(tmp_path / "d.npz")


# --- uploads --------------------------------------------------------------------------------


def test_one_uploaded_archive_is_opened_by_what_it_is(tmp_path):
    source = write_zip(tmp_path / "0", class_files())
    assert inspect([("my pets.ZIP", source)]).images == 12
    assert inspect([("data.npz", write_npz(tmp_path / "1.npz", x=X, y=Y))]).images == 40


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "no file was given"),
        ({"notes.txt": b"hello"}, "notes.txt: holds no images"),
        ({"1.png": b"x", "2.png": b"x"}, "no images in class folders"),
        ({"a/x.idx": b"1", "b/x.idx": b"2"}, "x.idx: was uploaded twice"),
    ],
)
def test_uploads_that_are_no_data_set_are_refused(tmp_path, files, sentence):
    assert sentence in problem(uploaded(tmp_path, files))
