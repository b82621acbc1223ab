"""`dockerlab start`: the learner's own copy of the course, made or brought up to date."""

from __future__ import annotations

from argparse import Namespace

from dockerlab.cli.answer import Answer, Shape
from dockerlab.course.learner_copy import LearnerCopy, bring
from dockerlab.printable import printable


def run(args: Namespace) -> Answer:
    """Bring the course into the folder, and say what was done and how it is opened."""
    copy = bring(args.folder)
    return Answer(lambda: shape(copy), lambda: f"{copy}\nOpen it: jupyter lab {printable(str(copy.first))}")


def shape(copy: LearnerCopy) -> Shape:
    """`start`: the folder, the notebook to begin with, and what was done to which file."""
    return {
        "folder": str(copy.folder),
        "first": str(copy.first),
        "new": copy.new,
        "corrected": copy.corrected,
        "kept": copy.kept,
        "beside": copy.beside,
        "gone": copy.gone,
    }
