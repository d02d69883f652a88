"""Pictures in class folders and zips of them: layouts, names, what is left out, what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from evolution_core.data import inspect, load
from evolution_core.spec import DataError, RunSpec
from tests.evolution_core.pictures import class_files, encoded, pixels, write_folder, write_zip

SPEC = RunSpec(seed=3)


def counts(found):
    return [(c.name, c.train, c.validation, c.test) for c in found.classes]


def problem(found) -> str:
    return " | ".join(f"{file}: {sentence}" for file, sentence in found.problems)


@pytest.mark.parametrize("wrapping", ["", "pets/", "my data/pets/"])
@pytest.mark.parametrize("write", ["folder", "zip"])
def test_class_folders_in_any_wrapping(tmp_path, wrapping, write):
    files = class_files(prefix=wrapping)
    source = write_folder(tmp_path / "d", files) if write == "folder" else write_zip(tmp_path / "d.zip", files)
    found = inspect(source)
    assert not found.fatal, problem(found)
    assert counts(found) == [("cat", 6, 0, 0), ("dog", 6, 0, 0)]
    assert (found.images, found.channels, found.default_input) == (12, 3, 8)


@pytest.mark.parametrize("wrapping", ["", "cifar/"])
@pytest.mark.parametrize("names", [("train", "test"), ("Training", "TEST"), ("train", "testing")])
def test_split_folders(tmp_path, wrapping, names):
    files = class_files(prefix=f"{wrapping}{names[0]}/") | class_files(each=2, prefix=f"{wrapping}{names[1]}/")
    found = inspect(write_zip(tmp_path / "d.zip", files))
    assert not found.fatal, problem(found)
    assert counts(found) == [("cat", 6, 0, 2), ("dog", 6, 0, 2)]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_is_the_validation_part(tmp_path, name):
    files = class_files(prefix="train/") | class_files(each=2, prefix=f"{name}/") | class_files(each=3, prefix="test/")
    source = write_zip(tmp_path / "d.zip", files)
    assert counts(inspect(source)) == [("cat", 6, 2, 3), ("dog", 6, 2, 3)]
    data = load(source, spec=SPEC)
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 4, 6)


def test_a_class_may_be_called_train(tmp_path):
    found = inspect(write_folder(tmp_path, class_files(("train", "bus", "car"))))
    assert [c.name for c in found.classes] == ["bus", "car", "train"]


def test_pictures_deeper_in_a_class_belong_to_it(tmp_path):
    files = class_files() | {"cat/indoor/9.png": encoded(9), "cat/outdoor/8.png": encoded(8)}
    assert counts(inspect(write_folder(tmp_path, files))) == [("cat", 8, 0, 0), ("dog", 6, 0, 0)]


def test_classes_are_in_natural_order(tmp_path):
    names = ["class10", "class2", "Class1", "b", "A"]
    found = inspect(write_folder(tmp_path, class_files(names, each=3)))
    assert [c.name for c in found.classes] == ["A", "b", "Class1", "class2", "class10"]


def test_leftovers_are_ignored_and_other_files_noted(tmp_path):
    junk = {
        "__MACOSX/cat/._0.png": b"x",
        "cat/.DS_Store": b"x",
        "dog/Thumbs.db": b"x",
        ".git/x.png": b"x",
        "cat/notes.txt": b"x",
        "dog/labels.csv": b"x",
    }
    found = inspect(write_zip(tmp_path / "d.zip", class_files() | junk))
    assert counts(found) == [("cat", 6, 0, 0), ("dog", 6, 0, 0)]
    assert not found.fatal
    assert "cat/notes.txt" in found.notes[0][0]
    assert "1 other file" in found.notes[0][1]


def test_loose_pictures_are_left_out_and_noted(tmp_path):
    found = inspect(write_zip(tmp_path / "d.zip", class_files(prefix="pets/") | {"cover.png": encoded(1)}))
    assert found.images == 12
    assert ("cover.png", "was left out: in no class folder") in found.notes


def test_notes_without_end_are_counted_not_listed(tmp_path):
    files = class_files(prefix="train/") | class_files(prefix="test/") | {f"test/owl{i}/": b"" for i in range(1_005)}
    found = inspect(write_zip(tmp_path / "d.zip", files))
    assert not found.fatal, problem(found)
    assert len(found.notes) == 1_001
    assert found.notes[-1] == ("", "5 more notes are not listed")


@pytest.mark.parametrize("write", ["folder", "zip"])
@pytest.mark.parametrize("prefix", ["", "train/", "pets/train/"])
def test_an_empty_class_is_refused_by_name(tmp_path, prefix, write):
    files = class_files(prefix=prefix) | {f"{prefix}owl/": b""}
    found = inspect(write_folder(tmp_path / "d", files) if write == "folder" else write_zip(tmp_path / "d.zip", files))
    assert found.fatal
    assert "owl: is an empty class" in problem(found)


def test_a_class_without_training_pictures_is_refused(tmp_path):
    files = class_files(prefix="train/") | class_files(("cat", "owl"), prefix="test/")
    assert "owl: is in the test part only" in problem(inspect(write_zip(tmp_path / "d.zip", files)))


def test_one_class_is_refused(tmp_path):
    assert "holds one class only ('cat')" in problem(inspect(write_folder(tmp_path, class_files(("cat",)))))


def test_a_part_that_is_no_part_is_refused(tmp_path):
    files = class_files(prefix="train/") | class_files(prefix="test/") | class_files(each=1, prefix="extra/")
    assert "'extra', which is neither train, validation nor test" in problem(inspect(write_folder(tmp_path, files)))


def test_parts_without_a_training_part_are_refused(tmp_path):
    files = class_files(prefix="test/") | class_files(prefix="val/")
    assert "holds no folder 'train'" in problem(inspect(write_folder(tmp_path, files)))


@pytest.mark.parametrize(
    "files", [{}, {"a/readme.txt": b"x"}, {"1.png": encoded()}, {"2.png": encoded(), "1.png": encoded()}]
)
def test_no_images_in_class_folders_is_refused(tmp_path, files):
    (tmp_path / "d").mkdir()
    found = inspect(write_folder(tmp_path / "d", files))
    assert found.fatal
    with pytest.raises(DataError, match="no images"):
        load(tmp_path / "d", spec=SPEC)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="nothing-here: does not exist"):
        load(tmp_path / "nothing-here", spec=SPEC)


def test_too_few_images_for_three_parts_are_refused(tmp_path):
    found = inspect(write_folder(tmp_path, class_files(each=2)))
    assert "no class has 3 training images" in problem(found)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not an image"),
        (b"hello", "is not an image"),
        (encoded(1)[:90], "is broken or cut short"),
        (encoded(1, suffix=".jpg", size=(64, 64))[:700], "is broken or cut short"),
    ],
)
def test_every_broken_image_is_listed_by_file(tmp_path, content, sentence):
    files = class_files() | {"cat/bad.jpg": content, "dog/worse.png": content}
    found = inspect(write_zip(tmp_path / "d.zip", files))
    assert [file for file, _ in found.problems] == ["cat/bad.jpg", "dog/worse.png"]
    assert sentence in found.problems[0][1]
    with pytest.raises(DataError, match=r"cat/bad\.jpg: .*dog/worse\.png: "):
        load(tmp_path / "d.zip", spec=SPEC)


def test_a_long_list_of_problems_is_cut_with_a_count(tmp_path):
    files = class_files() | {f"cat/bad{number}.png": b"x" for number in range(210)}
    found = inspect(write_zip(tmp_path / "d.zip", files))
    assert len(found.problems) == 201
    assert found.problems[-1] == ("", "10 more problems of these kinds are not listed")


# --- formats and colours ------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tif", ".webp", ".jpg"])
def test_every_format_is_read(tmp_path, suffix):
    found = inspect(write_folder(tmp_path, class_files(suffix=suffix)))
    assert not found.fatal, problem(found)
    assert found.channels == 3


def one_image(tmp_path, content: bytes, name: str = "x.png", **changes) -> np.ndarray:
    """The pixels [C, H, W] of one picture as load gives them, at its own size."""
    files = {f"{side}/{number}{name}": content for side in "ab" for number in range(4)}
    size = Image.open(io.BytesIO(content)).width
    data = load(write_folder(tmp_path / "one", files), spec=SPEC.replace(**{"input_size": size, **changes}))
    return data.train.images[0].numpy()


def png(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_lossless_pixels_arrive_unchanged(tmp_path):
    wanted = pixels(5)
    assert np.array_equal(one_image(tmp_path, png(Image.fromarray(wanted))), wanted.transpose(2, 0, 1))


def test_gray_images_have_one_channel_whatever_their_mode(tmp_path):
    gray = pixels(5, channels=1)
    for number, image in enumerate(
        (Image.fromarray(gray), Image.fromarray(np.stack([gray] * 3, -1)), Image.fromarray(gray).convert("LA"))
    ):
        assert np.array_equal(one_image(tmp_path / str(number), png(image)), gray[None])


def test_one_colour_image_makes_all_of_them_colour(tmp_path):
    files = class_files(channels=1) | {"cat/colour.png": encoded(1)}
    assert inspect(write_folder(tmp_path, files)).channels == 3


def test_transparency_is_laid_on_white(tmp_path):
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4] = (200, 10, 10, 255)
    image = one_image(tmp_path, png(Image.fromarray(clear)))
    assert (image[:, 4:] == 255).all()
    assert image[:, 0, 0].tolist() == [200, 10, 10]
    palette = Image.fromarray(clear[..., :3]).quantize(4)
    palette.info["transparency"] = palette.getpixel((0, 7))
    again = one_image(tmp_path / "p", png(palette, transparency=palette.getpixel((0, 7))))
    assert (again[:, 4:] == 255).all()


def test_exif_rotation_is_applied(tmp_path):
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8] = 255  # white above, black below
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half
    content = png(Image.fromarray(upright[::-1].copy()), "JPEG", exif=exif, quality=95)
    image = one_image(tmp_path, content, "x.jpg")
    assert image[:, :6].min() > 200
    assert image[:, 10:].max() < 50


def test_sizes_are_of_upright_pictures(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    content = png(Image.fromarray(pixels(1, (400, 600))), "JPEG", exif=exif)
    found = inspect(write_folder(tmp_path, {f"{side}/{number}.jpg": content for side in "ab" for number in range(3)}))
    assert found.sizes.minimum == found.sizes.maximum == (400, 600)


def test_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = png(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert one_image(tmp_path, content, "x.gif")[:, 0, 0].tolist() == [255, 0, 0]


def test_deep_gray_and_palettes_and_cmyk_are_converted(tmp_path):
    deep = Image.fromarray(np.full((8, 8), 257 * 100, np.uint16))
    assert set(one_image(tmp_path / "deep", png(deep)).ravel().tolist()) == {100}
    bits = Image.fromarray(np.full((8, 8), 255, np.uint8)).convert("1")
    assert set(one_image(tmp_path / "bits", png(bits)).ravel().tolist()) == {255}
    inks = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    assert one_image(tmp_path / "inks", png(inks, "TIFF"), "x.tif")[:, 0, 0].tolist() == [255, 0, 0]


# --- sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "default"),
    [([(48, 48)], 48), ([(64, 64)], 64), ([(65, 65)], 32), ([(20, 30)], 32), ([(8, 8), (9, 9)], 32)],
)
def test_default_size_is_the_datas_own_where_square_shared_and_small(tmp_path, sizes, default):
    files = {}
    for number, size in enumerate(sizes * 6):
        files |= {f"{side}/{number}.png": encoded(number, size=size) for side in "ab"}
    found = inspect(write_folder(tmp_path, files))
    assert found.default_input == default
    assert found.sizes.shared == (len(sizes) == 1)
    widths, heights = [w for _, w in sizes], [h for h, _ in sizes]
    assert found.sizes.minimum == (min(widths), min(heights))
    assert found.sizes.maximum == (max(widths), max(heights))


def test_the_network_may_need_more(tmp_path):
    source = write_folder(tmp_path, class_files())
    assert load(source, spec=SPEC).shape == (3, 28, 28)
    assert load(source, spec=SPEC.replace(architecture="vgg16-bn")).shape == (3, 32, 32)
    assert load(source, spec=SPEC.replace(input_size=20)).shape == (3, 20, 20)
    assert load(source, spec=SPEC, shape=(1, 10, 12)).train.images.shape[1:] == (1, 10, 12)


def test_the_whole_image_is_squashed_smoothly(tmp_path):
    wide = np.zeros((16, 64, 3), np.uint8)
    wide[:, 32:] = (255, 254, 253)
    image = one_image(tmp_path, png(Image.fromarray(wide)), input_size=16)
    assert image.shape == (3, 16, 16)
    assert image[:, :, :6].max() < 20
    assert image[:, :, 10:].min() > 235
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = (255, 254, 253)  # finer than the target: an average, not a pattern
    again = one_image(tmp_path / "s", png(Image.fromarray(stripes)), input_size=16)
    assert 100 < again[:, 4:12].min() <= again[:, 4:12].max() < 155


def test_large_photographs_are_decoded_smaller_to_the_same_picture(tmp_path):
    rows = np.linspace(0, 255, 512).astype(np.uint8)
    smooth = np.stack(
        [np.tile(rows, (512, 1)), np.tile(rows[:, None], (1, 512)), np.full((512, 512), 90, np.uint8)], -1
    )
    content = png(Image.fromarray(smooth), "JPEG", quality=95)
    wanted = np.asarray(Image.fromarray(smooth).resize((16, 16), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    image = one_image(tmp_path, content, "x.jpg", input_size=16)
    assert inspect(tmp_path / "one").sizes.minimum == (512, 512)
    assert np.abs(image.astype(int) - wanted).max() <= 4


# --- the report ---------------------------------------------------------------------------


def test_samples_are_small_pictures_of_every_class(tmp_path):
    found = inspect(write_folder(tmp_path, class_files(("a", "b", "c"), each=9, size=(200, 300))))
    assert [sample.class_name for sample in found.samples] == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert len({sample.file for sample in found.samples}) == 12
    assert Image.open(io.BytesIO(found.samples[0].png)).size == (128, 85)


def test_the_report_survives_json(tmp_path):
    import json

    from evolution_core.data import Inspection

    found = inspect(write_folder(tmp_path, class_files() | {"cat/readme.txt": b"x"}))
    again = Inspection.from_json(json.loads(json.dumps(found.to_json())))
    found.samples = []
    assert again == found


def test_progress_is_reported(tmp_path):
    seen = []
    inspect(write_folder(tmp_path, class_files(each=101)), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 202), (100, 202), (200, 202), (202, 202)]
