"""Scripted suites: one file a theme, one function a story.

Each story gets a `testbed` of its own (see harness/plugin.py) and is told with players and an
operator. When it is told, the judges look at ledger and database whether everything adds up.
"""
