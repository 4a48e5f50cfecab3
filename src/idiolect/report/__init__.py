"""Results for people: one self-contained HTML page, and a table for the terminal."""

from idiolect.report.page import build_report, render_report
from idiolect.report.table import results_table

__all__ = ["build_report", "render_report", "results_table"]
