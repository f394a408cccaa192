"""The rules of the figures in words, printed with every result."""

from opencmr.validate.cohort import RESAMPLES, SEED
from opencmr.validate.surface import NSD_TOLERANCE_MM

RULES: tuple[tuple[str, str], ...] = (
    (
        "Empty masks",
        "Where both masks are empty, Dice, IoU and NSD are 1; where one is, they are 0. A surface "
        "distance needs both: elsewhere it is left out of the mean and counted as without a value.",
    ),
    (
        "Surface distances",
        "In three dimensions and millimetres, the distance of slices from the file, between voxels "
        "that touch the outside with a face; a single slice in its plane. HD: the greatest; HD95: "
        "the greater of both directions' 95th percentiles; ASSD: the mean of all; NSD: the share "
        f"within {NSD_TOLERANCE_MM:g} mm. Every surface voxel counts once.",
    ),
    (
        "Phases",
        "ED and ES as the file names say, else the largest and the smallest LV of the reference. "
        "A phase of a cine that the reference leaves empty is not scored.",
    ),
    (
        "Levels",
        "Thirds of the slices in which the reference shows the left ventricle; slices beyond "
        "belong to the end they lie at. A slice is missed where the reference shows a structure "
        "and the prediction none, invented in the reverse case.",
    ),
    (
        "Means",
        "Over patients: each counts once, with the mean of its own comparisons. Intervals of 95 %: "
        f"percentiles of {RESAMPLES} bootstrap draws over patients, seed {SEED}.",
    ),
    (
        "Agreement",
        "Measured less reference, both measured from labels by the same rules, each at its own ED "
        "and ES. Limits: bias ± 1.96 SD with intervals by Student's t (Bland and Altman 1999). "
        "ICC(2,1): two-way random, absolute agreement, single (McGraw and Wong 1996). CV: SD of "
        "the differences over the mean of all values. Line: Passing and Bablok 1983.",
    ),
)
