"""Verification: of a bag that somebody holds, and of the database itself."""

from outreach.archive.bagcheck import verify_bag
from outreach.archive.checks import Check, Report
from outreach.archive.databasecheck import verify_database

__all__ = ["Check", "Report", "verify_bag", "verify_database"]
