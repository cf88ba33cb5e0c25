"""Policies, submissions, the approval inbox's logic, decisions."""
