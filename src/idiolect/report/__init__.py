"""Results for people: one self-contained HTML page, a PDF, and a table for the terminal."""

from idiolect.report.contents import contents
from idiolect.report.files import ReportFiles, build_report
from idiolect.report.page import render_page
from idiolect.report.pdf import render_pdf
from idiolect.report.terminal import results_table

__all__ = ["ReportFiles", "build_report", "contents", "render_page", "render_pdf", "results_table"]
