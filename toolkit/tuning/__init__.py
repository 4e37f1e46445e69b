"""Hyper-parameter search over a benchmark: which sequences tune, how a setting is scored, the study, its picture.

Knows settings as numbers by name and trackers by :class:`toolkit.protocols.Tracker`. ``study`` needs Optuna.
"""
