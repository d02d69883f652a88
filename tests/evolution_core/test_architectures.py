"""Every registered base network: counts, shapes, tracing, first weights, refusals. A new entry tests itself."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import fx, nn

from evolution_core.architectures import LocalResponseNorm, build, get, load_weights, names
from evolution_core.architectures.layers import scaled
from evolution_core.measurement import count_macs, count_parameters
from evolution_core.spec import NetworkError, RunSpec
from evolution_core.spec.base_networks import ARCHITECTURES

CLASSIFIERS = tuple(name for name in names() if ARCHITECTURES[name].task == "classification")
HEAVY = {"alexnet", "vgg16-bn"}  # hundreds of megabytes at full width

# Published counts at the reference input and classes: method.md's sources and torchvision's documentation.
PUBLISHED = {
    "lenet5": 431_080,
    "lenet5-classic": 61_706,
    "alexnet": 60_965_224,
    "alexnet-small": 5_726_602,
    "darknet19": 20_842_376,
    "vgg16-bn": 138_365_992,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "resnet20": 272_474,
    "resnet56": 855_770,
    "mobilenet-v2": 3_504_872,
}


def reference(name: str, *, width: float = 1.0) -> nn.Module:
    """The network at its card's reference, without storage."""
    card = ARCHITECTURES[name]
    with torch.device("meta"):
        return get(name).factory(card.reference_classes, card.reference_input, width).eval()


def smallest(name: str, classes: int = 3, channels: int = 1) -> tuple[nn.Module, tuple[int, int, int]]:
    """A thin network on the smallest input that its card admits."""
    size = ARCHITECTURES[name].minimum_size
    shape = (channels, size, size)
    return build(name, classes, shape, width=0.125 if name in HEAVY else 0.5), shape


def test_every_card_of_a_classifier_is_built():
    assert set(CLASSIFIERS) == {card.name for card in ARCHITECTURES.values() if card.task == "classification"}
    assert set(CLASSIFIERS) >= PUBLISHED.keys()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_reference_counts_are_the_cards_and_the_published_ones(name):
    card = ARCHITECTURES[name]
    model = reference(name)
    assert count_parameters(model) == card.parameters == PUBLISHED.get(name, card.parameters)
    assert count_macs(model, card.reference_input) == card.macs


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_forward_at_the_smallest_input(name):
    model, shape = smallest(name)
    assert model.training
    with torch.no_grad():
        outputs = model.eval()(torch.rand(2, *shape, generator=torch.Generator().manual_seed(1)))
    assert outputs.shape == (2, 3)
    assert torch.isfinite(outputs).all()
    assert outputs.std() > 1e-4  # alive: different images and classes give different scores


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_pixel_less_is_refused_in_a_sentence(name):
    size = ARCHITECTURES[name].minimum_size
    with pytest.raises(NetworkError, match=f"at least {size}x{size} pixels, not {size - 1}x{size - 1}"):
        build(name, 3, (1, size - 1, size - 1))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_torch_fx_traces_it_and_gives_the_same(name):
    model, shape = smallest(name)
    graph = fx.symbolic_trace(model.eval())
    image = torch.rand(1, *shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.equal(graph(image), model(image))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_any_channels_and_oblong_inputs(name):
    size = ARCHITECTURES[name].minimum_size
    for shape in ((3, size, size + 9), (5, size + 9, size)):
        model = build(name, 2, shape, width=0.125).eval()
        with torch.no_grad():
            assert model(torch.zeros(1, *shape)).shape == (1, 2)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_width_scales_the_parameters(name):
    half, whole = count_parameters(reference(name, width=0.5)), ARCHITECTURES[name].parameters
    assert 0.2 * whole < half < 0.6 * whole


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_default_size_fits(name):
    card = ARCHITECTURES[name]
    for size in (8, 28, 32, 64):
        chosen = card.default_size(size)
        assert chosen >= card.minimum_size
        assert chosen >= size
        assert chosen % card.size_multiple == 0
    assert card.default_size(card.minimum_size) == card.minimum_size


def test_default_sizes_by_name():
    assert ARCHITECTURES["alexnet"].default_size(32) == 227
    assert ARCHITECTURES["lenet5"].default_size(8) == 28
    assert ARCHITECTURES["vgg16-bn"].default_size(28) == 32


@pytest.mark.parametrize("classes", [1, 10_000])
def test_class_counts_at_the_ends(classes):
    assert build("lenet5", classes, (1, 28, 28))(torch.zeros(1, 1, 28, 28)).shape == (1, classes)


@pytest.mark.parametrize(("classes", "shape"), [(0, (1, 28, 28)), (10_001, (1, 28, 28)), (10, (0, 28, 28))])
def test_impossible_outputs_and_inputs_are_refused(classes, shape):
    with pytest.raises(NetworkError, match="1 to 10,000 classes"):
        build("lenet5", classes, shape)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(NetworkError, match="choose one of lenet5"):
        build("lenet6", 10, (1, 28, 28))


def test_published_details_stay():
    model = build("alexnet-small", 10, (3, 32, 32))
    assert model.conv1.kernel_size == (5, 5)
    assert [model.conv2.groups, model.conv3.groups, model.conv4.groups, model.conv5.groups] == [2, 1, 2, 2]
    assert model.drop6.p == model.drop7.p == 0.5
    norms = [module for module in model.modules() if isinstance(module, LocalResponseNorm)]
    assert [(norm.size, norm.alpha, norm.beta) for norm in norms] == [(5, 1e-4, 0.75)] * 2


# --- first weights ----------------------------------------------------------------------


def weights(name: str = "lenet5", **options) -> dict[str, torch.Tensor]:
    return build(name, 10, (1, 28, 28), **options).state_dict()


def test_weights_are_a_function_of_the_seed_alone():
    first = weights(seed=7)
    torch.rand(5)
    again, other = weights(seed=7), weights(seed=8)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_the_global_random_state_is_neither_read_nor_moved():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first["fc1.weight"], weights()["fc1.weight"])


def test_a_layer_does_not_change_with_the_number_of_classes():
    one, other = build("lenet5", 10, (1, 28, 28)), build("lenet5", 11, (1, 28, 28))
    assert torch.equal(one.fc1.weight, other.fc1.weight)


def test_a_spec_gives_name_width_and_seed():
    spec = RunSpec(architecture="alexnet-small", width=0.5, seed=9)
    model = build(spec, 10, (3, 32, 32))
    assert model.conv1.out_channels == 48
    assert torch.equal(model.fc8.weight, build("alexnet-small", 10, (3, 32, 32), 0.5, 9).fc8.weight)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_signals_neither_die_nor_explode_at_birth(name):
    model, shape = smallest(name, classes=10)
    images = torch.randn(8, *shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        outputs = model(images)  # training mode: batch statistics, dropout
    assert 0.05 < outputs.std() < 20


def test_widths_stay_even_and_divisible():
    assert scaled(96, 0.5, 2) == 48
    assert scaled(100, 0.33) % 8 == 0
    assert scaled(96, 0.01, 2) == 2
    assert scaled(20, 1.0) == 20
    assert all(scaled(channels, width, 4) % 4 == 0 for channels in (64, 100, 256) for width in (0.05, 0.3, 0.7, 1.3))


# --- local response normalisation -------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 5, 16])
@pytest.mark.parametrize("options", [(5, 1e-4, 0.75, 1.0), (3, 0.5, 0.75, 2.0), (4, 0.1, 0.6, 1.5), (1, 1.0, 0.5, 1.0)])
def test_our_response_norm_is_torchs(channels, options):
    x = 3 * torch.randn(2, channels, 4, 5, generator=torch.Generator().manual_seed(4))
    ours, theirs = LocalResponseNorm(*options), nn.LocalResponseNorm(*options)
    assert torch.allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-6)
    x.requires_grad_(True)
    (mine,) = torch.autograd.grad(ours(x).square().sum(), x)
    (wanted,) = torch.autograd.grad(theirs(x).square().sum(), x)
    assert torch.allclose(mine, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [(5, 0.3, 0.75, 1.0), (4, 0.2, 0.6, 1.5)])
def test_its_written_out_derivative_is_right(options):
    x = torch.randn(2, 6, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5), requires_grad=True)
    assert torch.autograd.gradcheck(LocalResponseNorm(*options), (x,))


def test_response_norm_can_be_bypassed():
    x = torch.ones(1, 3, 2, 2)
    norm = LocalResponseNorm(alpha=1.0)
    assert not torch.equal(norm(x), x)
    norm.bypass = True
    assert norm(x) is x


# --- ready-made weights -----------------------------------------------------------------


def saved(path, model: nn.Module, rename=lambda name: name, **changes) -> None:
    tensors = {rename(name): tensor.clone() for name, tensor in model.state_dict().items()}
    tensors.update({name: tensor for name, tensor in changes.items() if tensor is not None})
    for name in [name for name, tensor in changes.items() if tensor is None]:
        del tensors[name]
    save_file(tensors, path)


def test_weights_are_taken_over(tmp_path):
    saved(tmp_path / "w.safetensors", build("resnet20", 10, (3, 32, 32), seed=5))
    model = build("resnet20", 10, (3, 32, 32), seed=6)
    loaded = load_weights(model, tmp_path / "w.safetensors", head="resnet20")
    wanted = build("resnet20", 10, (3, 32, 32), seed=5).state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())
    assert loaded.reinitialised == ()


def test_a_classifier_for_other_classes_starts_afresh_and_says_so(tmp_path):
    saved(tmp_path / "w.safetensors", build("lenet5", 7, (1, 28, 28), seed=5))
    model, fresh = build("lenet5", 10, (1, 28, 28), seed=6), build("lenet5", 10, (1, 28, 28), seed=6)
    loaded = load_weights(model, tmp_path / "w.safetensors", head="lenet5")
    assert loaded.reinitialised == ("fc2.bias", "fc2.weight")
    assert loaded.message == "fc2 was trained for 7 classes and starts afresh with 10"
    assert torch.equal(model.fc2.weight, fresh.fc2.weight)
    assert not torch.equal(model.fc1.weight, fresh.fc1.weight)


@pytest.mark.parametrize("name", ["vgg16-bn", "mobilenet-v2"])
def test_torchvisions_names_are_understood(name, tmp_path):
    size = ARCHITECTURES[name].minimum_size
    donor = build(name, 4, (3, size, size), width=0.125, seed=5)
    theirs = {ours: foreign for foreign, ours in get(name).aliases().items()}

    def rename(tensor: str) -> str:
        layer, _, kind = tensor.rpartition(".")
        return f"{theirs[layer]}.{kind}"

    saved(tmp_path / "w.safetensors", donor, rename)
    model = build(name, 4, (3, size, size), width=0.125, seed=6)
    load_weights(model, tmp_path / "w.safetensors", head=name)
    assert all(torch.equal(tensor, donor.state_dict()[key]) for key, tensor in model.state_dict().items())


def test_our_own_files_and_half_precision_are_read(tmp_path):
    donor = build("resnet20", 10, (3, 32, 32), seed=5)
    tensors = {
        ("buffer:" if "running" in name else "") + name: tensor.half()
        for name, tensor in donor.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(tensors, tmp_path / "w.safetensors")
    model = build("resnet20", 10, (3, 32, 32), seed=6)
    load_weights(model, tmp_path / "w.safetensors", head="resnet20")
    assert torch.allclose(model.conv1.weight, donor.conv1.weight, atol=1e-3)


def test_of_a_file_that_does_not_fit_no_numbers_are_read(tmp_path):
    content = b'{"a":{"dtype":"F32","shape":[4294967296],"data_offsets":[0,17179869184]}}'
    with open(tmp_path / "w.safetensors", "wb") as file:  # 16 GB of nothing, which the disk does not feel
        file.write(len(content).to_bytes(8, "little") + content)
        file.truncate(8 + len(content) + 4 * 2**32)
    with pytest.raises(NetworkError, match="lacks conv1"):
        load_weights(build("lenet5", 10, (1, 28, 28)), tmp_path / "w.safetensors", head="lenet5")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"conv1.weight": None}, "lacks conv1.weight"),
        ({"conv9.weight": torch.zeros(2)}, "holds conv9.weight, which the network does not have"),
        ({"conv1.weight": torch.zeros(20, 3, 5, 5)}, "conv1.weight is 20x3x5x5, the network needs 20x1x5x5"),
        ({"fc2.weight": torch.zeros(10, 400)}, "fc2.weight is 10x400, the network needs 10x500"),
        ({"fc1.bias": torch.full((500,), float("nan"))}, "fc1.bias holds values that are not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name_and_change_nothing(changes, sentence, tmp_path):
    saved(tmp_path / "w.safetensors", build("lenet5", 10, (1, 28, 28), seed=5), **changes)
    model = build("lenet5", 10, (1, 28, 28), seed=6)
    with pytest.raises(NetworkError, match=sentence):
        load_weights(model, tmp_path / "w.safetensors", head="lenet5")
    assert torch.equal(model.fc1.weight, build("lenet5", 10, (1, 28, 28), seed=6).fc1.weight)


HUGE_TENSOR = b'{"conv1.weight":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04pickle",
        (2**62).to_bytes(8, "little") + b"{}",  # a header longer than any file
        (99_000_000).to_bytes(8, "little") + b"{}",
        len(HUGE_TENSOR).to_bytes(8, "little") + HUGE_TENSOR,  # a tensor that is not there
        (9).to_bytes(8, "little") + b"[" * 9,
    ],
)
def test_a_file_that_is_no_safetensors_is_refused(content, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(NetworkError, match=r"w\.safetensors is not a readable safetensors file"):
        load_weights(build("lenet5", 10, (1, 28, 28)), tmp_path / "w.safetensors", head="lenet5")
