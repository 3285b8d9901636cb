"""The report for programs. `docs/reference/plan-json.md` explains each field."""

import json
from dataclasses import asdict

from cli.plan.report import Report


def as_json(report: Report) -> str:
    """Every field of the report under its own name; nothing is left out, however empty."""
    return json.dumps(asdict(report), indent=2, ensure_ascii=False)
