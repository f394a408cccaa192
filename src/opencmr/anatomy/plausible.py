"""What a living body can be: plausible limits and two constants, each told once.

A value outside its limits is a mistake or in another unit; it is never used.
"""

HEIGHT_LIMITS_CM = (25.0, 250.0)
"""From the smallest preterm child to a giant (proposal)."""
WEIGHT_LIMITS_KG = (0.4, 400.0)
"""From a preterm child to more than any scanner's table bears (proposal)."""
AGE_LIMIT_YEARS = 125.0
"""No longer life is known (proposal)."""
BMI_LIMITS_KG_M2 = (8.0, 90.0)
"""Height and weight that give a body mass index outside these limits contradict (proposal)."""
BSA_LIMITS_M2 = (0.2, 3.5)
"""Body surface area (reliability row D26)."""
HAEMATOCRIT_LIMITS = (0.15, 0.70)
"""Volume of cells in blood, as a fraction; a percentage is outside (proposal)."""

MS_PER_MINUTE = 60_000.0
HEART_RATE_LIMITS_BPM = (20.0, 240.0)
"""Beats per minute (proposal)."""
RR_LIMITS_MS = (MS_PER_MINUTE / HEART_RATE_LIMITS_BPM[1], MS_PER_MINUTE / HEART_RATE_LIMITS_BPM[0])
"""The same limits as the length of a heartbeat: 250 to 3000 ms."""

CINE_PHASES = 8
"""Fewer phases than this do not show a heartbeat by themselves (proposal)."""
THICK_SLICES_MM = 4.0
"""Slice spacing from which on an image is a stack of single slices; thinner ones are volumes."""
MYOCARDIUM_G_PER_ML = 1.05
"""Density of myocardium (Schulz-Menger et al., JCMR 2020; 22:19)."""
