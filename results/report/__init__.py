"""The report: a run as one HTML file that loads nothing, and its headline tables for a notebook."""

from results.report.headline import headline_html
from results.report.page import report_html, with_trouble
from results.report.pictures import Pictures, drawn

__all__ = ["Pictures", "drawn", "headline_html", "report_html", "with_trouble"]
