"""What training makes small: cross-entropy plus (1 - soft Dice).

Where readers drew some of the structures (:mod:`opencmr.train.label_codes`), the summed share of
the classes that a pixel may be: the marginal loss of Shi et al., Medical Image Analysis 2021;
70:101979.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from opencmr.train.manifest import DataSet


def loss_of(data_set: DataSet) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of logits and labels for a data set."""
    if not data_set.drawn_in_part:
        return segmentation_loss
    possible = possible_classes(data_set.classes, data_set.drawn_classes)
    return partial(marginal_loss, possible=possible)


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss where every label is a class.

    Parameters
    ----------
    logits : (N, C, ...)
    labels : (N, ...) int64
    """
    logits = logits.float()
    entropy = functional.cross_entropy(logits, labels)
    truth = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].float()
    return entropy + 1 - _soft_dice(logits.softmax(1)[:, 1:], truth)


def marginal_loss(logits: Tensor, labels: Tensor, possible: Tensor) -> Tensor:
    """Return the loss where a label says which classes a pixel may be.

    The Dice of a structure counts the pixels of which it is known whether they belong to it.
    Where every label is a class it is :func:`segmentation_loss`.

    Parameters
    ----------
    logits : (N, C, ...)
    labels : (N, ...) int64, classes or codes
    possible : (C + 2, C) bool
        Of :func:`possible_classes`.
    """
    may = possible.to(labels.device)[labels].movedim(-1, 1)
    log_shares = logits.float().log_softmax(1)
    entropy = -log_shares.masked_fill(~may, -torch.inf).logsumexp(1).mean()
    truth = (may & (may.sum(1, keepdim=True) == 1))[:, 1:]
    known = truth | ~may[:, 1:]
    return entropy + 1 - _soft_dice(log_shares.exp()[:, 1:] * known, truth)


def possible_classes(classes: int, drawn: Sequence[int]) -> Tensor:
    """Return which classes a label or code may be ``(classes + 2, classes) bool``.

    Parameters
    ----------
    classes : int
        Background included.
    drawn : sequence of int
        Classes of the structures that were drawn.
    """
    possible = torch.eye(classes, dtype=torch.bool)
    neither = torch.ones(classes, dtype=torch.bool)
    neither[list(drawn)] = False
    return torch.cat([possible, neither[None], torch.ones(1, classes, dtype=torch.bool)])


def _soft_dice(shares: Tensor, truth: Tensor) -> Tensor:
    """Return the mean over structures of the Dice of ``(N, S, ...)``, pooled over the batch."""
    over = [axis for axis in range(shares.ndim) if axis != 1]
    overlap = (shares * truth).sum(over)
    total = shares.sum(over) + truth.sum(over)
    return ((2 * overlap + 1) / (total + 1)).mean()
