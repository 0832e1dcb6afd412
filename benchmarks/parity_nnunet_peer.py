"""nnU-Net's own predictor on random-weight models; run by parity_nnunet.py in its environment."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.data_iterators import PreprocessAdapterFromNpy
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape as to_labels,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

HALF = torch.half


def main() -> None:
    case = Path(sys.argv[1])
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    settings = json.loads((case / "settings.json").read_text())
    image = np.load(case / "image.npy")
    folder = case / settings["folder"]
    heads = settings["heads"]
    for fold in range(settings["folds"]):
        save_fold(folder, fold, heads, settings)
    answer = {}
    for mirror in (False, True):
        predictor = nnUNetPredictor(
            use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False
        )
        predictor.initialize_from_trained_model_folder(str(folder), None)
        if not mirror:
            balance(predictor, image, settings, folder)
            predictor.initialize_from_trained_model_folder(str(folder), None)
        for name, kind in (("half", HALF), ("float", torch.float32)):
            # nnU-Net sums tiles in half precision; once more with float32 sums, so that
            # what is left is not rounding.
            torch.half = kind
            given = prepared(predictor, image, settings)
            logits = predictor.predict_logits_from_preprocessed_data(given["data"])
            torch.half = HALF
            answer[f"logits_{name}_{mirror}"] = logits.numpy().copy()
            answer[f"labels_{name}_{mirror}"] = to_labels(
                logits,
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.label_manager,
                given["data_properties"],
            )
        answer["input"] = np.asarray(given["data"])
    np.savez(case / "peer.npz", **answer)


def prepared(predictor: nnUNetPredictor, image: np.ndarray, settings: dict) -> dict:
    """The predictor's own preprocessing of an array (channel, z, y, x)."""
    adapter = PreprocessAdapterFromNpy(
        [image.copy()],
        [None],
        [{"spacing": settings["spacing_zyx"]}],
        [None],
        predictor.plans_manager,
        predictor.dataset_json,
        predictor.configuration_manager,
        num_threads_in_multithreaded=1,
    )
    return next(adapter)


def save_fold(folder: Path, fold: int, heads: int, settings: dict) -> None:
    """A checkpoint as nnU-Net writes it, with random weights."""
    plans = json.loads((folder / "plans.json").read_text())
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    configuration = PlansManager(plans).get_configuration(settings["configuration"])
    torch.manual_seed(settings["seed"] + fold)
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        settings["channels"],
        heads,
        deep_supervision=False,
    )
    for parameter in network.parameters():
        # Biases and norms start at 0 and 1: random ones show a forgotten weight.
        parameter.data += 0.2 * torch.randn_like(parameter)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True)
    path = folder / f"fold_{fold}" / "checkpoint_final.pth"
    path.parent.mkdir(exist_ok=True)
    checkpoint = {
        "network_weights": network.state_dict(),
        "optimizer_state": optimizer.state_dict(),
        "grad_scaler_state": {"scale": 65536.0},
        "logging": {"mean_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(-0.1)]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 1000,
        "init_args": {"configuration": settings["configuration"], "fold": fold, "plans": plans},
        "trainer_name": settings["trainer"],
        "inference_allowed_mirroring_axes": settings["mirror"],
    }
    torch.save(checkpoint, path)


def balance(predictor: nnUNetPredictor, image: np.ndarray, settings: dict, folder: Path) -> None:
    """Give every output channel one mean and spread, so that no class wins everywhere."""
    data = prepared(predictor, image, settings)["data"]
    for n, path in enumerate(sorted(folder.glob("fold_*/checkpoint_final.pth"))):
        predictor.list_of_parameters = [torch.load(path, weights_only=False)["network_weights"]]
        logits = predictor.predict_logits_from_preprocessed_data(data).float()
        checkpoint = torch.load(path, weights_only=False)
        last = sorted(k for k in checkpoint["network_weights"] if "seg_layers" in k)[-1]
        layer = last.removesuffix("weight").removesuffix("bias")
        mean, spread = logits.mean((1, 2, 3)), logits.std((1, 2, 3)).clamp_min(1e-3)
        weights = checkpoint["network_weights"]
        weights[layer + "weight"] /= spread[:, None, None, None, None] / 3
        weights[layer + "bias"] = (weights[layer + "bias"] - mean) / (spread / 3)
        torch.save(checkpoint, path)
        print(f"fold {n} balanced")


if __name__ == "__main__":
    main()
