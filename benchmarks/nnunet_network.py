"""Time nnU-Net's default 2-D ACDC configuration on a stack, with random weights.

Runs inside an environment that has ``nnunetv2`` and nothing of opencmr; ``speed.py`` makes that
environment and starts this file in it.

    python nnunet_network.py STACK.npz [--phases 0 10 20] [--threads 2]

``STACK.npz`` holds ``values (T, Z, Y, X)`` and ``spacing_mm`` (slice, row, column).  Each phase is
one case for ``nnUNetPredictor.predict_single_npy_array``: cropping, z-score, resampling to the
planned spacing, sliding window with half-tile steps and Gaussian weights, resampling of the logits
back, argmax.  Each is timed without and with mirroring (test-time augmentation over both axes, the
default).  Importing, building the network and one warm-up slice are not timed.  Prints JSON.

The plan below is what nnU-Net 2.8.1's default planner (``nnUNetv2_plan_and_preprocess``, 8 GB
target, dataset prepared as in its ``Dataset027_ACDC``) makes of the ED and ES stacks of the 80
ACDC training patients of the project's data folder.  From all 100 training patients the target
spacing is said to be 1.5625 mm; the tile of 256 x 224 and the network, which follow from each
other, are the same.
"""

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

STAGES = 6
TARGET_SPACING_MM = 1.52344
TILE = [256, 224]
MIRRORED_AXES = (0, 1)
"""What nnU-Net's default trainer allows at inference in 2-D."""


def plans() -> dict[str, Any]:
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    return {
        "dataset_name": "Dataset027_ACDC",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
        "configurations": {
            "2d": {
                "data_identifier": "nnUNetPlans_2d",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 56,
                "patch_size": TILE,
                "spacing": [TARGET_SPACING_MM, TARGET_SPACING_MM],
                "normalization_schemes": ["ZScoreNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": resampling,
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
                "architecture": architecture(),
                "batch_dice": True,
            }
        },
    }


def architecture() -> dict[str, Any]:
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": STAGES,
            "features_per_stage": [min(32 * 2**stage, 512) for stage in range(STAGES)],
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": [[3, 3]] * STAGES,
            "strides": [[1, 1]] + [[2, 2]] * (STAGES - 1),
            "n_conv_per_stage": [2] * STAGES,
            "n_conv_per_stage_decoder": [2] * (STAGES - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


DATASET = {
    "channel_names": {"0": "cineMRI"},
    "labels": {"background": 0, "RV": 1, "MLV": 2, "LVC": 3},
    "file_ending": ".nii.gz",
}


class NetworkClock:
    """Seconds and calls of a torch module, counted by its hooks."""

    def __init__(self, network: Any) -> None:
        self.seconds, self.calls, self._start = 0.0, 0, 0.0
        network.register_forward_pre_hook(self._begin)
        network.register_forward_hook(self._end)

    def _begin(self, *_: object) -> None:
        self._start = time.perf_counter()

    def _end(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start
        self.calls += 1


def make_predictor() -> Any:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    torch.manual_seed(0)
    manager = PlansManager(plans())
    configuration = manager.get_configuration("2d")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        len(DATASET["channel_names"]),
        len(DATASET["labels"]),
        allow_init=True,
        deep_supervision=False,
    )
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.manual_initialization(
        network,
        manager,
        configuration,
        [network.state_dict()],
        DATASET,
        "nnUNetTrainer",
        MIRRORED_AXES,
    )
    return predictor


def time_phase(
    predictor: Any, clock: NetworkClock, volume: Any, spacing_mm: list[float], mirroring: bool
) -> dict[str, Any]:
    predictor.use_mirroring = mirroring
    clock.seconds, clock.calls = 0.0, 0
    start = time.perf_counter()
    labels = predictor.predict_single_npy_array(volume[None], {"spacing": spacing_mm})
    seconds = time.perf_counter() - start
    assert labels.shape == volume.shape
    return {"seconds": seconds, "network_seconds": clock.seconds, "forward_passes": clock.calls}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack", type=Path)
    parser.add_argument("--phases", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        result = measure(options.stack, options.phases, options.threads)
    print(json.dumps(result))


def measure(stack: Path, phases: list[int], threads: int) -> dict[str, Any]:
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    with np.load(stack) as archive:
        values, spacing_mm = archive["values"].astype(np.float32), archive["spacing_mm"].tolist()
    predictor = make_predictor()
    clock = NetworkClock(predictor.network)
    time_phase(predictor, clock, values[0, :1], spacing_mm, mirroring=False)
    results: dict[str, list[dict[str, Any]]] = {"without mirroring": [], "with mirroring": []}
    for phase in phases:
        for name, timed in results.items():
            timed.append(
                time_phase(predictor, clock, values[phase], spacing_mm, name == "with mirroring")
            )
    return {"phases": phases, "timed": results, "versions": versions()}


def versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("nnunetv2", "dynamic-network-architectures", "torch", "numpy", "scipy")
    return {package: version(package) for package in packages}


if __name__ == "__main__":
    main()
