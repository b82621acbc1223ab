"""Ready an engine: choose it, get the course's bases into it, and run a command on each to prove it."""

from __future__ import annotations

import sys
import time

from dockerlab.engines import choose
from dockerlab.engines.results import Event, Finished, Note
from dockerlab.errors import DockerlabError
from dockerlab.widgets.progress import note_text
from tools.course import read_course

STEP = "RUN true"


def show(event: Event) -> None:
    """Print what takes time (pulls, stand-ins, their bytes); a terminal shows it on one line."""
    match event:
        case Note(done=done, total=total):
            if sys.stdout.isatty():
                print(f"\r\033[K  {note_text(event)}", end="", flush=True)
            elif done in (0, total):
                print(f"  {note_text(event)}", flush=True)
        case Finished() if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)
        case _:
            pass


def main() -> int:
    """Ready every base that course.toml names; say the engine, why, and how long it took."""
    began = time.monotonic()
    try:
        engine, why = choose()
        print(f"Engine: {engine.describe()}. {why}", flush=True)
        for base in read_course().bases:
            build = engine.build(f"FROM {base}\n{STEP}\n", tag="dockerlab/ready", on_event=show)
            made = ", a stand-in made of Debian packages" if build.stand_in else ""
            print(f"Base: {base}{made}", flush=True)
    except DockerlabError as error:
        print(f"\nThe engine is not ready. {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing is broken: run the same command again.", file=sys.stderr)
        return 130
    print(f"Ready in {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
