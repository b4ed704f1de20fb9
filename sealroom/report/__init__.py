"""A verified result as one self-contained HTML file, made on the recipient's own machine from released numbers only."""

from sealroom.report.page import render_report

__all__ = ["render_report"]
