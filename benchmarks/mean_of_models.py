"""The weighted mean of two models of one kind, one trained on from the other, as a third.

Weights between those of a network and of what it became, when it learnt another vendor's hearts,
may keep the one and have of the other (Wortsman et al., CVPR 2022; 7959).

    python benchmarks/mean_of_models.py NAME@VERSION NAME@VERSION FOLDER [--share 0.5]
"""

import argparse
from pathlib import Path

import onnx
from onnx import numpy_helper

from opencmr.models.card import WEIGHTS_FILE, write_card
from opencmr.models.library import model_titled
from opencmr.storage import sha256_of


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("one")
    parser.add_argument("other")
    parser.add_argument("folder", type=Path, help="<models>/<name>/<version>, new")
    parser.add_argument("--share", type=float, default=0.5, help="of the other")
    options = parser.parse_args()
    cards = [model_titled(title) for title in (options.one, options.other)]
    graph, other = (onnx.load(str(card.folder / WEIGHTS_FILE)) for card in cards)
    theirs = {one.name: numpy_helper.to_array(one) for one in other.graph.initializer}
    for weights in graph.graph.initializer:
        ours = numpy_helper.to_array(weights)
        if ours.dtype.kind == "f":
            mean = (1 - options.share) * ours + options.share * theirs[weights.name]
            weights.CopyFrom(numpy_helper.from_array(mean.astype(ours.dtype), weights.name))
    options.folder.mkdir(parents=True)
    path = options.folder / WEIGHTS_FILE
    onnx.save(graph, str(path))
    changed = {"version": options.folder.name, "sha256": sha256_of(path), "figures": {}}
    write_card(cards[0].model_copy(update=changed), options.folder)


if __name__ == "__main__":
    main()
