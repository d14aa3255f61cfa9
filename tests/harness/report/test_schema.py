"""summary.json keeps to the schema that is published for it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from harness import report
from harness.report import render
from tests.harness.report.test_report import a_run

SCHEMA = json.loads(
    (Path(report.__file__).parent / "summary.schema.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("failing", [False, True])
def test_a_runs_summary_keeps_to_the_schema(tmp_path: Path, failing: bool) -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    render(a_run(tmp_path, failing=failing))
    summary = json.loads((tmp_path / "summary.json").read_text())
    jsonschema.validate(summary, SCHEMA)
    del summary["scenarios"][0]["outcome"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(summary, SCHEMA)
