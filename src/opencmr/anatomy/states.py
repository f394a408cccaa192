"""Words for the state in which a heart was pictured, as protocols are named.

Patterns for lower-case words that are separated by single spaces.
"""

STRESS_WORDS = r"stress|dobu|adeno|regaden|dipyr|persantin|exerci|ergometer|\bpeak\b|belastung"
"""Vasodilators, dobutamine and exercise."""
REST_WORDS = r"\b(at )?rest(ing)?\b|\bruhe\b|\bbaseline\b"
CONTRAST_WORDS = r"\b(post|after|nach) ?(gd|gad\w*|contrast|km|cm|kontrast\w*)\b|\bpost$|\bpostgd"
"""After a contrast agent; the header's own attribute weighs as much."""
REAL_TIME_WORDS = r"\breal ?time\b|\brealtime\b|\bfree ?breath\w*|\brt\b"
"""Not gated: each slice over several heartbeats."""
