"""Exercise 03: the same tools, without what apt and pip keep for next time.

Right is whatever leaves package lists, apt's own files and pip's cache in no layer: removed in the same RUN,
never made, in cache mounts, in a stage that is left behind.
"""

from __future__ import annotations

from dockerlab.checks.contents import below, holding
from dockerlab.checks.exercises.run_chaining import LISTS, jq_questions
from dockerlab.checks.rules import answers, nothing_in_layers
from dockerlab.checks.trial import Files, Trial
from dockerlab.checks.verdict import Verdict

STARTER = """\
FROM python:3.13-slim
RUN pip install langdetect
RUN rm /etc/apt/apt.conf.d/docker-clean
RUN apt-get update
RUN apt-get install -y --no-install-recommends jq
RUN rm -rf /var/lib/apt/lists/* /root/.cache
"""
CONTEXT: Files | None = None

# What package managers keep, wherever it lies: packages and apt's index; wheels, pip's answers, sources.
_BY_APT = (rb"!<arch>\ndebian-binary", rb"\A\xdc\x76\xfe\x98.{1000}")
_BY_PIP = (rb"PK\x03\x04.{26}[^/]{1,80}\.dist-info/", rb"\Acc=\d,", rb"\blangdetect-[\d.]+/PKG-INFO")
_PURGED = r"/origin\.json|/selfcheck/\w+"  # what `pip cache purge` leaves: notes of its own
_SENTENCES = (
    "Guten Morgen, liebe Leute, wie geht es euch heute",
    "Good morning everybody, how are you doing today",
    "Bonjour tout le monde, comment allez-vous aujourd'hui",
    "Buongiorno a tutti, come state oggi, amici miei",
    "Buenos dias a todos, como estais hoy, amigos mios",
    "Goedemorgen allemaal, hoe gaat het vandaag met jullie",
)
_DETECT = """\
import langdetect, sys
langdetect.DetectorFactory.seed = int(sys.argv[1])
for text in sys.argv[2:]:
    print(langdetect.detect(text), [one.lang for one in langdetect.detect_langs(text)])
"""

ON_APT, ON_PIP, MOUNTS = "The real thing: apt", "pip", "Change one thing: mounts instead of rm"


def rules(trial: Trial) -> list[Verdict]:
    """Measure that both tools work, and that no layer holds what their package managers keep."""
    sentences = trial.draw.sample(_SENTENCES, 4)
    detect = ["python3", "-c", _DETECT, str(trial.draw.randrange(1000)), *sentences]
    by_apt = (below("var/cache/apt"), holding(*_BY_APT))
    by_pip = (below("root/.cache", but=_PURGED), holding(*_BY_PIP))
    return [
        answers("jq still works", ON_APT, trial, jq_questions(trial.draw)),
        answers("langdetect still works: it tells languages", ON_PIP, trial, [detect]),
        nothing_in_layers("The package lists are in no layer", ON_APT, trial, LISTS),
        nothing_in_layers("Downloaded packages and apt's index files are in no layer", MOUNTS, trial, by_apt),
        nothing_in_layers("pip's cache is in no layer", ON_PIP, trial, by_pip),
    ]
