"""Pictures of images, builds and ledgers: each a chart, a sentence that states the finding, and a table.

Nothing here needs plotly until a figure is asked for: what is shown in a notebook is plotly's own JSON,
drawn by the notebook's renderer, and the sentence with the table where there is none.
"""

from __future__ import annotations

from dockerlab.charts.builds import build_timeline, cache_grid, rebuild_cost
from dockerlab.charts.contents import layer_map, layer_sharing
from dockerlab.charts.layers import compare, layer_stack
from dockerlab.charts.picture import Picture
from dockerlab.charts.waste import ledger_by_layer

__all__ = [
    "Picture",
    "build_timeline",
    "cache_grid",
    "compare",
    "layer_map",
    "layer_sharing",
    "layer_stack",
    "ledger_by_layer",
    "rebuild_cost",
]
