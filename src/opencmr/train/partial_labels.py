"""The loss of labels that say which classes a pixel may be (:mod:`opencmr.train.label_codes`).

It asks for the summed share of the classes that are possible: the marginal loss of Shi et al.,
Medical Image Analysis 2021; 70:101979.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def possible_classes(classes: int, drawn: Sequence[int]) -> Tensor:
    """Return which classes a label may be ``(classes + 2, classes) bool``.

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


def marginal_loss(logits: Tensor, labels: Tensor, possible: Tensor) -> Tensor:
    """Cross-entropy of the share that a pixel's classes have together, plus (1 - soft Dice).

    The Dice of a structure counts the pixels of which it is known whether they belong to it,
    pooled over the batch.  Where every label is a class it is that of full labels.

    Parameters
    ----------
    logits : (N, C, ...)
    labels : (N, ...) int64, classes or codes
    possible : (C + 2, C) bool
    """
    logits = logits.float()
    may = possible.to(labels.device)[labels].movedim(-1, 1)
    log_shares = logits.log_softmax(1)
    entropy = -log_shares.masked_fill(~may, -torch.inf).logsumexp(1).mean()
    truth = (may & (may.sum(1, keepdim=True) == 1))[:, 1:]
    known = truth | ~may[:, 1:]
    shares = log_shares.exp()[:, 1:] * known
    over = [axis for axis in range(logits.ndim) if axis != 1]
    overlap = (shares * truth).sum(over)
    total = shares.sum(over) + truth.sum(over)
    return entropy + 1 - ((2 * overlap + 1) / (total + 1)).mean()
