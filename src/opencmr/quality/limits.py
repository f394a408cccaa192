"""Limits of the quality checks, each with its source.

"Reference masks" are the ED and ES masks of 80 ACDC patients (Bernard et al., IEEE TMI 2018),
measured by opencmr itself; ``benchmarks/reference_limits.py`` prints the percentiles.
"""

LVEDV_LIMITS_ML = (20.0, 600.0)
"""A left ventricle outside is another organ or a wrong spacing (reliability row D25)."""
EF_LIMITS_PERCENT = (5.0, 90.0)
"""An ejection fraction outside is a mistake of phase or label (reliability row N04)."""
SVDIFF_LIMITS_PERCENT = (-74.6, 125.8)
"""2.5 and 97.5 percentile of (LVSV - RVSV) over their mean in the reference masks."""
RV_SIZE_LIMITS_PERCENT = (34.2, 269.7)
"""2.5 and 97.5 percentile of RVEDV over LVEDV in the reference masks (median 96.7).

Wide, because among those patients are many with a diseased right or a dilated left ventricle.
"""
MASS_RATIO_LIMITS_PERCENT = (97.1, 137.3)
"""2.5 and 97.5 percentile of LV mass at ES over that at ED in the reference masks.

Readers' masses grow towards ES.  Where slices happen to lie alone moves a volume by up to 8 %
(reliability section 0), so a constant mass may be flagged: the flag asks for a look.
"""
APICAL_END_LIMIT_PERCENT = 37.9
"""97.5 percentile of the LV's area on the apical end slice, of its largest slice, at ED."""
BASAL_END_LIMIT_PERCENT = 50.0
"""Above half its largest area, the LV reaches the basal end of the stack (proposal).

No review follows from it: it is so in most reference masks.
"""
FRAGMENT_LIMIT_PERCENT = 2.0
"""Largest share of a label off its main piece in a slice; at most 1.72 in reference masks."""
OPEN_RING_LIMIT_PERCENT = 10.0
"""Open share of the ring between the end slices (reliability row N03); 0 in reference masks."""
RV_INSIDE_LIMIT_PERCENT = 0.5
"""Share of the RV inside the LV (proposal); 0 in reference masks."""
STEP_LIMIT_PERCENT = 15.0
"""Largest believable step of a volume curve beyond its neighbours', of EDV.

Reliability row N04 names 15 % between frames.  Sound curves reach that on their own in
mid-systole, when the base leaves a slice between two frames; what they do not do is step so
much further than in the frames before and after.
"""
JUMP_REACH_PHASES = 3
"""A jump of the curve this near to ED or ES may have made it: jumps last up to three phases
(proposal; seen in a real cine)."""
HEART_RATE_LIMIT_PERCENT = 10.0
"""Largest difference between the heart rate used and the cine's own that goes unsaid (proposal)."""
FLICKER_STAKE_PERCENT = 3.0
"""A slice of at least this share of EDV can move EF by 3 points (reliability row N01)."""
EF_CUT_POINTS_PERCENT = (40.0, 41.0, 49.0, 50.0)
"""Borders of the ESC heart failure classes: at most 40, 41 to 49, at least 50."""
CUT_POINT_MARGIN_PERCENT = 2.0
"""This near a cut-point the class may be another on a second look (readers differ by more)."""
SPARSE_SHARE = 2.0
"""Slices further apart than this many thicknesses leave more than half unseen; 6 mm slices
every 10 mm are common practice."""
SPARSE_MM = 15.0
"""Slices further apart than this are sparse whatever their thickness (SCMR: 8 to 10 mm)."""
OVERLAP_SHARE = 0.9
"""Slices nearer to each other than this share of their thickness overlap."""
