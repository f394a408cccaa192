"""Limits of the quality checks, each with its source.

"Reference masks" are the ED and ES masks of 80 ACDC patients (Bernard et al., IEEE TMI 2018),
measured by opencmr itself; ``benchmarks/reference_limits.py`` prints the percentiles and what
each check sees.
"""

from opencmr.measure.long_axis import CUT_SHARE

LVEDV_LIMITS_ML = (20.0, 600.0)
"""A left ventricle outside is another organ or a wrong spacing (reliability row D25)."""
EF_LIMITS_PERCENT = (5.0, 90.0)
"""An ejection fraction outside is a mistake of phase or label (reliability row N04)."""
EF_HIGH_PERCENT = 80.0
"""Above, an outline at end-systole is doubted (proposal): of the reference masks, many of them of
hypertrophic hearts, 97.5 percentile 77, greatest 82; one unseen heart's automatic 84 was 65."""
SVDIFF_LIMITS_PERCENT = (-74.6, 125.8)
"""2.5 and 97.5 percentile of (LVSV - RVSV) over their mean in the reference masks."""
RV_SIZE_LIMITS_PERCENT = (34.2, 269.7)
"""2.5 and 97.5 percentile of RVEDV over LVEDV in the reference masks (median 96.7).

Wide, because among those patients are many with a diseased right or a dilated left ventricle.
"""
RV_SIZE_LVEF_PERCENT = 40.0
"""From this LVEF on the left ventricle is not taken for a failing one (border of the ESC class)."""
RV_SIZE_LOWEST_PERCENT = 66.0
"""Smallest RVEDV over LVEDV at such an LVEF (proposal): in the reference masks at least 67,
2.5 percentile 74."""
RV_HOLDS_LEAST_PERCENT = 85.0
"""Smallest RVEDV over LVSV (proposal): a ventricle cannot pass on more than it holds, and in the
reference masks it holds at least 90 %."""
MASS_RATIO_LIMITS_PERCENT = (73.5, 136.1)
"""Beyond what 95 % of the reference masks show, as a factor up or down: LV mass at ES over that
at ED.

Mass does not change, so a gain and a loss by one factor weigh the same.  Readers' masses grow
towards ES (median 113 %), those of the simulated heart shrink to 91 %: where slices lie alone
moves a volume by up to 8 % (reliability section 0).
"""
RV_LEAD_LIMITS_MM = (12.0, 22.0)
"""Longest stretch of the LV's base without an RV beside it, at ED and at ES (proposal): in the
reference masks at most 10 and 20 mm."""
RV_LEAD_SV_PERCENT = 75.0
"""RVSV over LVSV below which even one slice at the base without an RV at ED counts (proposal): in
the reference masks such a slice is missing in 14 of 80, and both are so in 2."""
RV_APICAL_END_LIMIT_PERCENT = 38.0
"""Largest last slice of the RV towards the apex, of its largest slice (proposal): in the reference
masks at most 36.7 at ED, 28.6 at ES."""
RV_THINNED_LIMIT_PERCENT = 28.0
"""How far a slice of the RV may fall below the mean of its neighbours, of its largest slice
(proposal): in the reference masks at most 26.5 at ED, 25.7 at ES."""
RV_GROWTH_LIMIT_PERCENT = 10.0
"""How much a slice of the RV may grow from ED to ES, of its largest slice (proposal): in the
reference masks at most 8.4."""
RV_OFF_SEPTUM_LIMIT_MM = 3.0
"""How far off the LV a slice of the RV may lie (proposal): in the reference masks at most 1.9,
one pixel."""
APICAL_END_LIMIT_PERCENT = 100 * CUT_SHARE
"""Above half of its largest area the LV does not end on a slice (proposal).

In the reference masks 97.5 percentile 41, one of 80 above.
"""
BASAL_END_LIMIT_PERCENT = 50.0
"""Above half its largest area, the LV reaches the basal end of the stack (proposal).

No review follows from it: it is so in most reference masks.
"""
LARGE_BASE_PERCENT = 80.0
"""From here on the basal end slice is nearly the largest (proposal); it is so in most reference
masks, so that it withholds only together with the apical end."""
FRAGMENT_LIMIT_PERCENT = 2.0
"""Largest share of a label off its main piece in a slice; at most 1.72 in reference masks."""
OPEN_RING_LIMIT_PERCENT = 10.0
"""Open share of the ring between the end slices (reliability row N03); 0 in reference masks."""
OPEN_END_LIMIT_PERCENT = 30.0
"""The same on an end slice, which the outflow tract may open (proposal); in reference masks at
most 20 at the base, 0 at the apex."""
RV_INSIDE_LIMIT_PERCENT = 0.5
"""Share of the RV inside the LV (proposal); 0 in reference masks."""
STEP_LIMIT_PERCENT = 15.0
"""Largest believable step of a volume curve beyond its neighbours', of EDV, between frames that
lie :data:`STEP_REFERENCE_MS` apart; in proportion for others (reliability row N04)."""
STEP_REFERENCE_MS = 40.0
"""Frames of a usual cine: 25 in a heartbeat of a second (proposal; SCMR asks for at most 45 ms,
Kramer et al., JCMR 2020; 22:17)."""
STEP_FLOOR_PERCENT = 10.0
"""No smaller step is called a jump, however near the frames (proposal)."""
JUMP_REACH_PHASES = 3
"""A jump of the curve this near to ED or ES may have made it: jumps last up to three phases
(proposal; seen in a real cine)."""
HEART_RATE_LIMIT_PERCENT = 10.0
"""Largest difference between the heart rate used and the cine's own that goes unsaid (proposal)."""
FLICKER_STAKE_PERCENT = 3.0
"""A slice of at least this share of EDV can move EF by 3 points (reliability row N01)."""
EF_CUT_POINTS_PERCENT = (35.0, 40.0, 41.0, 49.0, 50.0)
"""Borders of the ESC heart failure classes (at most 40, 41 to 49, at least 50), and that of a
defibrillator (at most 35)."""
BASE_CUT_POINTS_PERCENT = (35.0, 40.0, 50.0)
"""An ejection fraction on one side or the other of these, by how the base is read, is for a reader
(proposal)."""
BASE_WIDTH_LIMIT_POINTS = 8.0
"""So is one that moves by more points than this (proposal); in reference masks 4 of 80 do."""
CUT_POINT_MARGIN_PERCENT = 2.0
"""This near a cut-point the class may be another on a second look (readers differ by more)."""
SPARSE_SHARE = 2.0
"""Slices further apart than this many thicknesses leave more than half unseen; 6 mm slices
every 10 mm are common practice."""
SPARSE_MM = 15.0
"""Slices further apart than this are sparse whatever their thickness (SCMR: 8 to 10 mm)."""
COARSE_MM = 2.5
"""Pixels larger than this are coarse: SCMR asks for 1.5 to 2 mm (Kramer et al., JCMR 2020; 22:17);
at 2.5 mm a wall of 8 mm has three (proposal)."""
CONTRAST_TO_NOISE = 5.5
"""Least difference of blood and muscle over the noise (proposal): noise added to a Sunnybrook cine
(12.2 as it is, EF 22) moves the EF by 1.3 points at 6.9, by 7.5 at 4.2."""
BORDER_WIDTH_MM = 5.0
"""Widest border of blood and muscle at end-diastole (proposal): on the pictures of the reference
masks at most 4.9, median 3.5; smoothed by a Gaussian of 3 mm, median 6.4."""
ALTERNATION_LIMIT_PERCENT = 5.0
"""How far slices may lie off their neighbours by turns (proposal): in the reference masks 97.5
percentile 3.0 at ED, 2.8 at ES, one of 80 beyond; of two hearts interleaved nine in ten."""
OVERLAP_SHARE = 0.9
"""Slices nearer to each other than this share of their thickness overlap."""
MISSING_SLICE_SHARE = 1.5
"""From this many usual distances on a gap holds a missing slice: half of one more is nearer to a
lost slice than to a moved one (proposal)."""
UNEVEN_SHARE = 1.15
"""Of the usual distance: up to here positions merely differ between breath-holds (proposal)."""
STEP_REVIEW_SHARE = 1.5
"""A step between cardiac phases beyond this many usual ones lacks a phase (proposal)."""
STEP_WITHHELD_SHARE = 2.5
"""A step beyond this many usual ones lacks two phases or more, and with them perhaps end-systole
(proposal)."""
LATE_DIASTOLE_SHARE = 0.25
"""Of the R-R: prospective gating leaves a tenth to a fifth open for the next R wave (proposal)."""
LAG_LIMIT_PERCENT = 15.0
"""Of the R-R: a slice that lags more behind one beside it is out of step, or dyskinetic (proposal;
in a real failing heart the lag grows by up to 10 % a slice)."""
LAG_DRIFT_SHARE = 1 / 3
"""Of that limit: so much more may lie between two slices for each slice between them (proposal)."""
LAG_MOTION_PERCENT = 15.0
"""A slice whose area changes by less of its largest tells no moment (proposal)."""
LAG_STEPS_LEAST = 1
"""So many phases are no lag, however coarse they are (proposal)."""
LAG_LIKENESS = 0.8
"""Correlation from which on a slice's curve fits that of another (proposal)."""
LAG_OTHERS = 3
"""With fewer slices in step it cannot be told which are not (proposal)."""
UPSIDE_DOWN_SKEWNESS = 0.05
"""Skewness of the RV towards inferior, mean of ED and ES, beyond which a heart is upside down.

Proposal: in the reference masks 95 % taper towards anterior by more, and none towards inferior
(at most 0.007).
"""
