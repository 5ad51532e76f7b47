"""Reports: one self-contained HTML page of a run or a study, for people; it needs no network and no other file."""

from analogflow.report.html.page import Page, check_page, write_page
from analogflow.report.html.run import run_page
from analogflow.report.html.study import study_page

__all__ = ["Page", "check_page", "run_page", "study_page", "write_page"]
