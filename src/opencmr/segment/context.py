"""The slices that a network sees beside the one that it labels."""

from collections.abc import Iterator

import numpy as np

from opencmr.errors import ConfigurationError
from opencmr.models.runner import SegmentationRunner


def shares_by_slice(
    pixels: np.ndarray, network: SegmentationRunner, *, at_once: int | None = None
) -> Iterator[np.ndarray]:
    """Return the class shares ``(C, H, W)`` of every slice of a stack ``(Z, H, W)``, in order.

    A network that labels whole stacks is given the stack, or the parts of about ``at_once`` slices
    that it falls into.  Shares are weighed by the factors of its card.
    """
    given = _shares_by_slice(pixels, network, at_once)
    factors = np.array(network.card.output.factors, np.float32)
    return given if (factors == 1).all() else (_weighed(shares, factors) for shares in given)


def _weighed(shares: np.ndarray, factors: np.ndarray) -> np.ndarray:
    weighed = shares * factors[:, None, None]
    return np.asarray(weighed / weighed.sum(0))


def _shares_by_slice(
    pixels: np.ndarray, network: SegmentationRunner, at_once: int | None
) -> Iterator[np.ndarray]:
    wanted, slices = network.card.input, len(pixels)
    if not wanted.whole_stack:
        for z in range(slices):
            yield network(pixels[None, context_slices(z, slices, wanted.context_slices)])[0]
        return
    for part in np.array_split(pixels, -(-slices // (at_once or slices))):
        yield from network(part[None])[0].swapaxes(0, 1)


def context_slices(z: int, slices: int, context: int, *, step: int = 1) -> np.ndarray:
    """Return the indices ``(2 context + 1,)`` of slice ``z`` between its neighbours.

    A neighbour outside the stack of ``slices`` is the slice itself, so that a single slice is
    its own surroundings.  ``step`` -1 turns the order of the stack; 2 skips every other slice.

    Examples
    --------
    >>> context_slices(0, 9, 1)
    array([0, 0, 1])
    >>> context_slices(4, 9, 1, step=-2)
    array([6, 4, 2])
    """
    indices = z + step * np.arange(-context, context + 1)
    return np.where((indices < 0) | (indices >= slices), z, indices)


def stack_part(
    z: int, slices: int, wanted: int, *, step: int = 1, place: float = 0.0
) -> np.ndarray:
    """Return the indices ``(wanted,)`` of neighbouring slices of a stack, ``z`` among them.

    ``place`` (0 to below 1) says which of the possible parts; ``step`` as in
    :func:`context_slices`, of one slice where the stack is too short for more.

    Raises
    ------
    ConfigurationError
        When the stack has fewer slices than wanted.

    Examples
    --------
    >>> stack_part(0, 9, 3)
    array([0, 1, 2])
    >>> stack_part(4, 9, 3, step=-2, place=0.5)
    array([6, 4, 2])
    """
    if slices < wanted:
        raise ConfigurationError(f"a stack of {slices} slices has no {wanted} neighbouring ones")
    for stride in (abs(step), 1):
        reach = (wanted - 1) * stride
        firsts = np.arange(z, -1, -stride)[:wanted]
        firsts = firsts[firsts + reach < slices]
        if len(firsts):
            break
    part = firsts[int(place * len(firsts))] + stride * np.arange(wanted)
    return np.asarray(part if step > 0 else part[::-1])
