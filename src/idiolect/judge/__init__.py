"""Judges of pairs of drafts."""
