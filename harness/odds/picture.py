"""The figure that results draw themselves on: a notebook shows it, whoever imported what before.

Matplotlib's own shows itself in a notebook only once pyplot has drawn something there.
"""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure of its own, outside pyplot's care: nothing has to be closed."""

    def _repr_png_(self) -> bytes:
        """What IPython asks for at the end of a cell."""
        content = io.BytesIO()
        self.savefig(content, format="png", bbox_inches="tight")
        return content.getvalue()
