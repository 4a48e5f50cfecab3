"""Results for people: one self-contained HTML page, a PDF, and a table for the terminal."""

from idiolect.report.contents import contents
from idiolect.report.files import ReportFiles, WriteupFiles, build_report, build_writeup
from idiolect.report.markdown import render_markdown
from idiolect.report.page import render_page
from idiolect.report.pdf import render_pdf, render_png
from idiolect.report.terminal import results_table

__all__ = [
    "ReportFiles",
    "WriteupFiles",
    "build_report",
    "build_writeup",
    "contents",
    "render_markdown",
    "render_page",
    "render_pdf",
    "render_png",
    "results_table",
    "track_comparison",
]
from idiolect.report.tracked import track_comparison
