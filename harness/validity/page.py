"""docs/validity.md: a page made of parts, each written by its own script between two markers.

Running one part rewrites that part and leaves the others as they are.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_HEAD = """# Validity: what was checked, how, and with which result

Written by `harness validity SUBJECT [--part PART]`, which anybody can run again; every part names
its seed and sizes, and the same seed gives the same figures but for times. A line that misses its
bound says so and the command leaves 1.
"""


def write_part(page: Path, name: str, text: str) -> None:
    """Put `text` between the markers of part `name` (such as `odds/size`), whole or not at all.

    A part that is not there yet goes where its name sorts among its subject's, at the end of them.
    """
    before = page.read_text(encoding="utf-8") if page.exists() else _HEAD
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if pattern.search(before):
        after = pattern.sub(lambda _: block, before)
    else:
        subject = name.partition("/")[0]
        last = [m.end() for m in re.finditer(rf"<!-- {re.escape(subject)}/.*: end -->", before)]
        place = last[-1] if last else len(before.rstrip())
        after = f"{before[:place].rstrip()}\n\n{block}\n{before[place:]}"
    part = page.with_name(page.name + ".part")
    part.write_text(after.rstrip() + "\n", encoding="utf-8")
    os.replace(part, page)
