"""What a run leaves for people (a page with plots) and for a build server (JUnit XML)."""

from pushtrain.report.junit import write_junit
from pushtrain.report.page import write_report

__all__ = ["write_junit", "write_report"]
