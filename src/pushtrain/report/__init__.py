"""What a run leaves for people (a page with plots) and for a build server (JUnit XML)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pushtrain.record import RunRecord
from pushtrain.report.junit import write_junit

__all__ = ["write_junit", "write_report"]


def write_report(
    record: RunRecord, folder: Path, *, patch: bytes, importances: Mapping[str, float]
) -> Path:
    """Writes `folder/report/` anew; see `report.page.write_report`.

    The page is imported here: what draws its plots takes a second, and a run begins without it.
    """
    from pushtrain.report import page  # noqa: PLC0415

    return page.write_report(record, folder, patch=patch, importances=importances)
