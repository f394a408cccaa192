"""Augmentation replays, a killed run goes on, an exported network says the same as torch."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch")

from opencmr.anatomy.structures import ACDC, EMIDEC, Structure  # noqa: E402
from opencmr.errors import ConfigurationError, ModelError  # noqa: E402
from opencmr.models.card import read_card  # noqa: E402
from opencmr.models.library import model_titled  # noqa: E402
from opencmr.models.session import Network, load_network  # noqa: E402
from opencmr.networks import ARCHITECTURES  # noqa: E402
from opencmr.segment.intensity import intensity_limits, scale_intensity  # noqa: E402
from opencmr.segment.short_axis import segment_short_axis  # noqa: E402
from opencmr.segment.window import Window  # noqa: E402
from opencmr.simulate import HeartParameters, Protocol, simulate_study  # noqa: E402
from opencmr.train import augmentation, loop  # noqa: E402
from opencmr.train.export import export  # noqa: E402
from opencmr.train.loss import segmentation_loss  # noqa: E402
from opencmr.train.manifest import MANIFESTS, Slice, box_limits, read_slices  # noqa: E402
from opencmr.train.recipe import Recipe, read_recipe  # noqa: E402
from opencmr.train.runner import (  # noqa: E402
    TorchNetwork,
    averaged_network,
    averaged_runner,
    card_of,
)
from opencmr.train.warm_start import _classes_to_start_from, start_from_model  # noqa: E402

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "cine_sax_fold0.toml"


def ring_slice() -> Slice:
    rows, columns = np.indices((120, 100))
    distance = np.hypot(rows - 70, columns - 40)
    labels = np.zeros((120, 100), np.uint8)
    labels[distance < 18] = 2
    labels[distance < 12] = 3
    image = (20 + 200 * (labels == 3) + 60 * (labels == 2)).astype(np.float32)
    stack = np.stack([np.zeros_like(image), image, np.full_like(image, 80)])
    nothing = np.zeros_like(labels)
    stack_labels = np.stack([nothing, labels, nothing])
    limits = box_limits(stack[1:2], (70, 40), (1.5, 1.5), (1, 99))
    return Slice("ring", "ed", 1, stack, stack_labels, 1, (1.5, 1.5), (70.0, 40.0), limits)


@pytest.fixture
def small_recipe(tmp_path) -> Path:
    """The shipped recipe, but tiny; beside it a made-up subject in ACDC's layout."""
    text = RECIPE.read_text()
    for old, new in (
        ("widths = [32, 48, 96, 128, 192]", "widths = [4, 8, 8]"),
        ("window_px = 160", "window_px = 64"),
        ("steps = 14000", "steps = 12"),
        ("batch_size = 8", "batch_size = 2"),
        ("warmup_steps = 300", "warmup_steps = 2"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "small.toml"
    path.write_text(text)
    folder = tmp_path / "acdc"
    folder.mkdir()
    (folder / "metadata.csv").write_text("patient,fold\nring,1\nhidden,0\n")
    source = ring_slice()
    for phase in ("ed", "es"):
        for end, values in (("", source.stack), ("_gt", source.stack_labels)):
            stack = nibabel.Nifti1Image(values.T, np.diag([1.5, 1.5, 8.0, 1.0]))
            stack.header.set_xyzt_units("mm")
            nibabel.save(stack, folder / f"ring_{phase}{end}.nii.gz")
    return path


def train_by_recipe(recipe_path: Path, data: Path, run: Path) -> Path:
    return loop.train(recipe_path, loop.lessons_of(read_recipe(recipe_path), data), run)


def test_a_draw_can_be_replayed():
    recipe = read_recipe(RECIPE)
    first, again = (
        loop.make_sample(ring_slice(), recipe, np.random.default_rng(5)) for _ in range(2)
    )
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def still(**changes: object) -> augmentation.Draw:
    quiet = augmentation.Draw(
        0.0, False, 1.0, 1.0, (0.0, 0.0), np.zeros((2, 6, 6)), 1.0, 1.0, 0.0, np.zeros((4, 4)),
        0.0, 1.0, 0.0, 0, 0.0, 0.5, True, 1, (False, False), 0.0, 0,
    )  # fmt: skip
    return dataclasses.replace(quiet, **changes)


def window_labels(draw: augmentation.Draw) -> np.ndarray:
    source = ring_slice()
    grid = augmentation.sampling_grid(
        draw,
        window_px=96,
        window_spacing_mm=1.0,
        centre_px=source.heart_px,
        source_shape=source.labels.shape,
        source_spacing_mm=source.spacing_mm,
    )
    image, labels = augmentation.sample(
        torch.from_numpy(source.stack), torch.from_numpy(source.stack_labels), grid, 4
    )
    labels = labels[source.z]
    assert image[1][labels == 3].mean() > 200, "image and labels must move together"
    return labels.numpy()


def test_a_random_convolution_makes_other_greys_of_the_same_regions():
    """Tissues that are even stay so; which is the brighter one changes from draw to draw."""
    regions = np.zeros((96, 96), np.int64)
    regions[20:70, 20:70] = 1
    regions[35:55, 35:55] = 2
    reach = 4  # of four convolutions of 3 x 3
    even = ndimage.maximum_filter(regions, 2 * reach + 1) == ndimage.minimum_filter(
        regions, 2 * reach + 1
    )
    even[:reach], even[-reach:], even[:, :reach], even[:, -reach:] = (False,) * 4
    greys = torch.tensor([0.2, 0.5, 0.9])[torch.from_numpy(regions)].repeat(2, 1, 1)
    orders = set()
    for seed in range(12):
        seen = augmentation.degrade(greys, still(convolved_share=1.0, convolution_seed=seed))
        assert 0 <= seen.min() <= seen.max() <= 1
        assert torch.equal(seen[0], seen[1])
        levels = [seen[0].numpy()[even & (regions == one)] for one in range(3)]
        assert max(one.std() for one in levels) < 1e-3
        orders.add(tuple(np.argsort([one.mean() for one in levels]).tolist()))
    assert len(orders) > 2
    half = augmentation.degrade(greys, still(convolved_share=0.5, convolution_seed=0))
    whole = augmentation.degrade(greys, still(convolved_share=1.0, convolution_seed=0))
    assert half == pytest.approx((greys + whole) / 2, abs=1e-6)


def test_random_convolutions_leave_what_other_recipes_draw_as_it_was():
    recipe = read_recipe(RECIPE).augmentation
    often = dataclasses.replace(recipe, random_convolution_probability=1.0)
    without, with_it = (augmentation.draw(one, np.random.default_rng(3)) for one in (recipe, often))
    assert without.convolved_share == 0 < with_it.convolved_share
    same = dataclasses.replace(with_it, convolved_share=0.0)
    assert repr(same) == repr(without)


def test_without_augmentation_the_heart_is_centred_with_its_true_area():
    labels = window_labels(still())
    assert np.argwhere(labels > 0).mean(0) == pytest.approx([47.5, 47.5], abs=0.6)
    assert (labels > 0).sum() == pytest.approx(np.pi * (18 * 1.5) ** 2, rel=0.03)


def test_scale_enlarges_the_area_by_its_square():
    grown = window_labels(still(scale_row=1.2, scale_column=1.2))
    assert (grown == 3).sum() == pytest.approx(1.44 * (window_labels(still()) == 3).sum(), rel=0.04)


def test_a_shift_moves_the_heart_by_that_many_mm():
    moved = window_labels(still(shift_mm=(10.0, -6.0)))
    assert np.argwhere(moved == 3).mean(0) == pytest.approx([37.5, 53.5], abs=0.7)


def test_a_killed_run_goes_on_where_it_stopped(small_recipe, tmp_path, monkeypatch):
    whole = train_by_recipe(small_recipe, tmp_path, tmp_path / "whole")

    class KilledError(Exception):
        pass

    def rate_until_killed(recipe: Recipe, step: int) -> float:
        if step == 6:
            raise KilledError
        return rate(recipe, step)

    rate = loop.learning_rate
    with monkeypatch.context() as patched:
        patched.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
        patched.setattr(loop, "learning_rate", rate_until_killed)
        with pytest.raises(KilledError):
            train_by_recipe(small_recipe, tmp_path, tmp_path / "halves")
    assert torch.load(tmp_path / "halves" / "checkpoint.pt", weights_only=True)["step"] == 6
    halves = train_by_recipe(small_recipe, tmp_path, tmp_path / "halves")
    one, two = (torch.load(p, weights_only=True)["average"] for p in (whole, halves))
    for name in one:
        assert torch.allclose(one[name].float(), two[name].float(), atol=1e-4), name


def test_given_slices_and_another_task_are_learnt_by_the_same_loop(small_recipe, tmp_path):
    by_recipe = train_by_recipe(small_recipe, tmp_path, tmp_path / "by_recipe")
    rows = MANIFESTS["acdc"].rows(tmp_path, (1,))
    slices = read_slices(rows, tmp_path, (1.0, 99.0))
    given = loop.train(small_recipe, loop.Lessons(slices, rows), tmp_path / "given")
    one, two = (torch.load(p, weights_only=True)["average"] for p in (by_recipe, given))
    assert all(torch.allclose(one[name].float(), two[name].float(), atol=1e-4) for name in one)

    asked = []

    def brightness(slices: tuple[Slice, ...], recipe: Recipe) -> loop.Task:
        def batch_of(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            asked.append(step)
            image = torch.tensor(slices[1].stack[None, 1:2, :64, :64]) / 255
            return image, image[:, 0]

        return loop.Task(batch_of, lambda answers, seen: (answers[:, 0] - seen).abs().mean())

    lessons = loop.Lessons(slices, rows, brightness)
    done = loop.train(small_recipe, lessons, tmp_path / "other", start_from=tmp_path / "given")
    assert asked == list(range(12))
    other = torch.load(done, weights_only=True)["average"]
    assert not torch.equal(other["head.weight"], two["head.weight"])


def test_the_log_holds_a_line_with_loss_and_rate(small_recipe, tmp_path):
    train_by_recipe(small_recipe, tmp_path, tmp_path / "run")
    (line,) = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert {"step", "loss", "learning_rate", "seconds"} <= json.loads(line).keys()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns about itself
def test_the_exported_network_says_what_torch_says(small_recipe, tmp_path):
    train_by_recipe(small_recipe, tmp_path, tmp_path / "run")
    difference = export(tmp_path / "run", tmp_path / "m" / "0.1", version="0.1")
    assert difference < 1e-4
    _, recipe, state = averaged_network(tmp_path / "run")
    assert state["step"] == recipe.optimiser.steps
    card = read_card(tmp_path / "m" / "0.1")
    assert "1 subjects of University Hospital of Dijon, Siemens" in card.training_data
    assert "CC BY-NC-SA" in card.terms
    assert card.trained_by.startswith("opencmr ")


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns about itself
@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=[] if name == "stack_unet" else [pytest.mark.long])
        for name in sorted(set(ARCHITECTURES) - {"unet"})
    ],
)
def test_every_architecture_is_exported_for_windows_of_any_size(
    architecture, small_recipe, tmp_path
):
    whole_stack = architecture == "stack_unet"
    of_slices = "context_slices = 0\nstack_slices = 2" if whole_stack else "context_slices = 1"
    for old, new in (
        ("widths = [4, 8, 8]", "widths = [4, 8, 24]"),
        ('architecture = "unet"', f'architecture = "{architecture}"'),
        ("context_slices = 0", of_slices),
    ):
        text = small_recipe.read_text()
        assert old in text
        small_recipe.write_text(text.replace(old, new))
    train_by_recipe(small_recipe, tmp_path, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model", version="9.9.9")
    module = averaged_runner(tmp_path / "run")
    network = load_network(read_card(tmp_path / "model"))
    many = {"stack_unet": 7}.get(architecture, 3)
    for shape in ((1, 3, 32, 48), (3, many, 64, 64)):
        windows = np.random.default_rng(1).random(shape, np.float32)
        assert network(windows) == pytest.approx(module(windows), abs=1e-4)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns about itself
def test_a_run_made_before_architectures_and_manifests_is_exported(small_recipe, tmp_path):
    run = tmp_path / "old"
    run.mkdir()
    lines = small_recipe.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("architecture", "intended_use"))]
    assert len(kept) == len(lines) - 2
    (run / "recipe.toml").write_text("\n".join(kept))
    network = loop.build_network(read_recipe(run / "recipe.toml"))
    weights = network.state_dict()
    state = {"step": 7, "network": weights, "average": weights, "optimiser": {}}
    torch.save(state, run / "checkpoint.pt")
    assert export(run, tmp_path / "m" / "0.1", version="0.1") < 1e-4
    card = read_card(tmp_path / "m" / "0.1")
    assert (card.input.stride_px, card.output.label_scheme) == (4, "acdc")
    assert "ACDC" in card.training_data
    assert "RV, MYO, LV on SAX cine" in card.intended_use


def test_a_resumed_run_names_all_code_that_trained_it(small_recipe, tmp_path, monkeypatch):
    run = tmp_path / "run"
    for commit in ("first", "second", "second"):
        monkeypatch.setattr(loop, "code_version", lambda commit=commit: commit)
        train_by_recipe(small_recipe, tmp_path, run)
    assert averaged_runner(run).card.trained_by == "first, second"


def test_the_average_follows_the_stated_rule_from_its_first_step(small_recipe):
    recipe = read_recipe(small_recipe)
    build = partial(loop.build_network, recipe)
    state = loop._State(recipe, build, torch.device("cpu"), segmentation_loss)
    expected = {k: v.clone() for k, v in state.network.state_dict().items()}
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(2))
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    for step in range(3):
        state.learn(images, labels)
        decay = (1 + step) / (10 + step)
        for name, value in state.network.state_dict().items():
            if value.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * value
            else:
                expected[name] = value.clone()
    for name, value in state.average.module.state_dict().items():
        assert torch.allclose(value.float(), expected[name].float(), atol=1e-6), name


def test_torch_and_onnx_segment_alike():
    card = model_titled("cine_sax@0.1.0")
    network = loop.build_network(read_recipe(RECIPE))
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    start_from_model(network, card.reference, images, ACDC)
    phantom = simulate_study(HeartParameters(seed=3), protocol=Protocol.small())
    (image,) = next(s.images for s in phantom.series if s.images[0].grid == phantom.labels.grid)
    by_onnx = segment_short_axis(image, Network(card))
    by_torch = segment_short_axis(image, TorchNetwork(network, card))
    assert by_onnx is not None
    assert by_torch is not None
    assert by_onnx.mask(Structure.LV).any()
    assert (by_onnx.labels != by_torch.labels).mean() < 1e-4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('architecture = "unet"', 'architecture = "other"', "no architecture 'other'; known: unet"),
        (
            'manifest = "acdc"',
            'manifest = "none"',
            "no manifest 'none'; known: acdc, acdc_sunnybrook, emidec",
        ),
        ("classes = 4", "classes = 3", "3 classes"),
    ],
)
def test_what_a_recipe_names_must_be_there(small_recipe, tmp_path, old, new, said):
    text = small_recipe.read_text()
    assert old in text
    small_recipe.write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError, match=said):
        train_by_recipe(small_recipe, tmp_path, tmp_path / "run")


def test_the_loss_is_least_for_the_truth():
    labels = torch.from_numpy(ring_slice().labels.astype(np.int64))[None]
    right = torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).float() * 20
    wrong = right.roll(15, dims=-1)
    assert segmentation_loss(right, labels) < 0.3
    assert segmentation_loss(wrong, labels) > 1


def still_recipe(**network: object) -> Recipe:
    """The shipped recipe, its augmentation quiet."""
    recipe = read_recipe(RECIPE)
    quiet = {field.name: 0.0 for field in dataclasses.fields(recipe.augmentation)}
    quiet["low_resolution_factor"] = 1.0
    return dataclasses.replace(
        recipe,
        augmentation=dataclasses.replace(recipe.augmentation, **quiet),
        network=dataclasses.replace(recipe.network, **network),
    )


@pytest.mark.parametrize("spacing_mm", [0.7, 1.1, 1.4, 1.9])
def test_training_and_inference_resample_and_scale_alike(spacing_mm):
    random = np.random.default_rng(3)
    stack = ndimage.gaussian_filter(random.normal(size=(1, 230, 210)), (0, 1.0, 1.0))
    stack = stack.astype(np.float32)
    centre = (114.5, 104.5)
    limits = (intensity_limits(stack, (1, 99)),)
    source = Slice(
        "noise",
        "ed",
        1,
        stack,
        np.zeros((1, 230, 210), np.uint8),
        0,
        (spacing_mm,) * 2,
        centre,
        limits,
    )
    trained, _ = loop.make_sample(source, still_recipe(window_px=64), np.random.default_rng(0))
    step = 1.4 / spacing_mm
    window = Window(centre, 64, 64, step, step, (230, 210))
    inferred = np.clip(scale_intensity(window.cut(stack), limits[0]), 0, 1)
    assert trained.numpy() == pytest.approx(inferred, abs=2e-4)


def test_a_dropped_neighbour_is_the_slice_itself():
    recipe = still_recipe(context_slices=1)
    always = dataclasses.replace(recipe.augmentation, drop_neighbour_probability=1.0)
    planes, _ = loop.make_sample(ring_slice(), recipe, np.random.default_rng(0))
    assert planes.shape[0] == 3
    assert not torch.equal(planes[0], planes[1])
    alone = dataclasses.replace(recipe, augmentation=always)
    planes, _ = loop.make_sample(ring_slice(), alone, np.random.default_rng(0))
    assert torch.equal(planes[0], planes[1])
    assert torch.equal(planes[2], planes[1])


def test_hard_slices_are_drawn_more_often():
    first = ring_slice()
    slices = (
        first,
        dataclasses.replace(first, phase="es"),
        dataclasses.replace(first, phase="es", z=0),
    )
    data = dataclasses.replace(read_recipe(RECIPE).data, end_slices=1, hard_weight=2.0)
    assert loop.draw_chances(slices, data) == pytest.approx(np.array([1, 2, 4]) / 7)


@pytest.mark.parametrize("architecture", ["unet", "recurrent_unet"])
def test_a_network_started_from_a_shipped_model_says_what_that_model_says(architecture):
    recipe = still_recipe(context_slices=1, architecture=architecture)
    network = loop.build_network(recipe)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    start_from_model(network, "cine_sax@0.1.0", images, ACDC)
    shipped = Network(model_titled("cine_sax@0.1.0"))
    with torch.no_grad():
        shares = network.eval()(images).softmax(1).numpy()
    assert shares == pytest.approx(shipped(images[:, 1:2].numpy()), abs=1e-3)


def test_a_stack_network_starts_from_one_that_sees_a_slice_alone():
    recipe = still_recipe(architecture="stack_unet", stack_slices=3)
    network = loop.build_network(recipe)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    start_from_model(network, "cine_sax@0.1.0", images, ACDC)
    shipped = Network(model_titled("cine_sax@0.1.0"))
    with torch.no_grad():
        shares = network.eval()(images).softmax(1).numpy()
    for z in range(3):
        assert shares[:, :, z] == pytest.approx(shipped(images[:, z : z + 1].numpy()), abs=1e-3)


@pytest.mark.parametrize(
    ("architecture", "slices", "said"),
    [("unet", 3, "labels one slice: stack_slices cannot"), ("stack_unet", 0, "must be given")],
)
def test_a_recipe_must_say_of_stacks_what_its_architecture_does(architecture, slices, said):
    recipe = still_recipe(architecture=architecture, stack_slices=slices)
    with pytest.raises(ConfigurationError, match=said):
        loop.build_network(recipe)


def test_a_sample_of_a_stack_holds_neighbours_and_their_labels():
    recipe = still_recipe(stack_slices=2, architecture="stack_unet")
    planes, labels = loop.make_sample(ring_slice(), recipe, np.random.default_rng(0))
    assert planes.shape == labels.shape
    assert len(planes) == 2
    shown = labels.flatten(1).amax(1) > 0
    assert shown.sum() == 1, "one slice of the two shows the ring"
    with pytest.raises(ConfigurationError, match="3 slices has no 4"):
        loop.make_sample(
            ring_slice(),
            still_recipe(stack_slices=4, architecture="stack_unet"),
            np.random.default_rng(0),
        )


def test_now_and_then_a_batch_holds_single_slices():
    recipe = still_recipe(stack_slices=3, architecture="stack_unet")
    recipe = dataclasses.replace(
        recipe,
        augmentation=dataclasses.replace(recipe.augmentation, drop_neighbour_probability=0.5),
        optimiser=dataclasses.replace(recipe.optimiser, batch_size=2),
    )
    shapes = {
        tuple(loop.make_batch((ring_slice(),), np.ones(1), recipe, step)[0].shape[:2])
        for step in range(8)
    }
    assert shapes == {(2, 3), (6, 1)}
    assert loop._many_images((ring_slice(),), recipe).shape[1] == 3


def test_a_model_of_other_widths_is_no_start():
    recipe = still_recipe(widths=(8, 16))
    with pytest.raises(ModelError, match="does not fit"):
        start_from_model(
            loop.build_network(recipe), "cine_sax@0.1.0", torch.zeros(2, 1, 32, 32), ACDC
        )


def test_a_structure_unknown_to_the_start_model_starts_as_the_one_that_holds_it():
    """The shipped model knows no scar: scar and no-reflow start as myocardium, LV stays LV."""
    network = loop.build_network(still_recipe(classes=5))
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    start_from_model(network, "cine_sax@0.1.0", images, EMIDEC)
    shipped = np.log(Network(model_titled("cine_sax@0.1.0"))(images.numpy()))
    with torch.no_grad():
        logits = network.eval()(images).numpy()
    background, cavity, wall, scar, no_reflow = range(5)
    for one, other, known in (
        (cavity, background, shipped[:, 3] - shipped[:, 0]),
        (wall, cavity, shipped[:, 2] - shipped[:, 3]),
        (scar, wall, np.zeros_like(shipped[:, 0])),
        (no_reflow, wall, np.zeros_like(shipped[:, 0])),
    ):
        assert logits[:, one] - logits[:, other] == pytest.approx(known, abs=5e-3)


def test_the_terms_of_the_start_model_hold_for_what_goes_on_from_it(tmp_path):
    recipe = still_recipe(start_model="cine_sax@0.1.0")
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, manifest="emidec"))
    recipe = dataclasses.replace(recipe, network=dataclasses.replace(recipe.network, classes=5))
    averaged = (loop.build_network(recipe), recipe, {"step": 1})
    terms = card_of(tmp_path, averaged, version="1", sha256="0" * 64).terms
    assert "ACDC" in terms
    assert "EMIDEC" in terms


def test_a_start_model_must_name_what_holds_each_structure():
    with pytest.raises(ConfigurationError, match="no RV"):
        _classes_to_start_from(ACDC, EMIDEC)


def test_rare_slices_are_drawn_more_often():
    first = ring_slice()
    no_wall = dataclasses.replace(
        first, stack_labels=np.where(first.stack_labels == 2, 3, first.stack_labels)
    )
    data = dataclasses.replace(
        read_recipe(RECIPE).data, rare_structures=(Structure.MYOCARDIUM,), rare_weight=3.0
    )
    chances = loop.draw_chances((first, no_wall), data)
    assert chances == pytest.approx(np.array([3, 1]) / 4)


@pytest.mark.real_data
def test_the_acdc_manifest_keeps_left_out_folds_out(data_folder):
    rows = MANIFESTS["acdc"].rows(data_folder, (0,))
    assert {row.fold for row in rows} == {0}
    assert len({row.subject for row in rows}) == 16
    assert all((data_folder / path).is_file() for row in rows for path in (row.image, row.labels))
    slices = read_slices(rows[:2], data_folder, (1, 99))
    assert {s.subject for s in slices} == {rows[0].subject}
    assert all(0 < s.spacing_mm[0] < 3 for s in slices)
