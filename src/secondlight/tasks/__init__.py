"""Subtasks of the reprocessing: one file each, configuration and a thin class."""
