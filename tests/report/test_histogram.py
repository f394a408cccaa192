"""Histograms: every value in one bar, whatever the values."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from opencmr.report.histogram import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, bin_edges, histogram


@given(st.lists(st.floats(-500, 1000).map(lambda v: round(v, 3)), min_size=1, max_size=50))
def test_bins_of_one_width_hold_every_value(values):
    edges = bin_edges(values)
    assert 2 <= len(edges) <= 15
    assert np.allclose(np.diff(edges), edges[1] - edges[0])
    assert np.histogram(values, edges)[0].sum() == len(values)
    chart = histogram(values, "LVEF, %")
    assert sum(int(bar.title.rsplit(": ", 1)[1]) for bar in chart.bars) == len(values)


def test_a_bar_is_as_high_as_its_count_and_the_median_stands_where_it_is():
    chart = histogram([10.0, 10.5, 11.5, 20.0], "x")
    heights = [bar.height for bar in chart.bars]
    full = HEIGHT - TOP - BOTTOM
    assert max(heights) == full
    assert min(heights) == round(full / 2, 1)
    across = (11.0 - 10.0) / 10.0 * (WIDTH - LEFT - RIGHT)
    assert abs(chart.median_x - (LEFT + across)) < 0.1
