"""`dockerlab advise`: what could be better in an image, and whether it keeps to its budget."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dockerlab.analysis import budget as budgets
from dockerlab.analysis.advice import Advice
from dockerlab.analysis.advice import advise as look_for_advice
from dockerlab.cli.answer import Answer, Shape
from dockerlab.cli.subjects import find
from dockerlab.errors import BudgetError
from dockerlab.widgets.findings import advice_table

OVER_BUDGET = 3


def advise(args: Namespace) -> Answer:
    """Say what could be better in an image and what it would save; 3 when it is over its budget."""
    limits = _budget(args)
    found = find(args.image, args)
    advice = look_for_advice(
        found.what,
        dockerfile=found.dockerfile,
        find_image=found.find_image,
        hadolint=not args.no_hadolint,
        engine=found.engine,
    )
    checks = budgets.check(limits, advice.book)
    over = [check for check in checks if not check.ok]

    def text() -> str:
        lines = [advice_table(advice).text(), ""]
        lines += [f"{'ok  ' if check.ok else 'OVER'}  {check.key}: {check.message}" for check in checks]
        return "\n".join(lines).rstrip()

    return Answer(lambda: _shape(advice, checks), text, code=OVER_BUDGET if over else 0)


def _shape(advice: Advice, checks: Sequence[budgets.Check]) -> Shape:
    """Return the advice, and `budget` with a check for each limit that was given."""
    return {
        **advice.to_dict(),
        "budget": {"ok": all(check.ok for check in checks), "checks": [asdict(check) for check in checks]},
    }


def _budget(args: Namespace) -> budgets.Budget:
    given: dict[str, Any] = {
        "max-size": args.max_size,
        "max-waste": args.max_waste,
        "max-layers": args.max_layers,
        "min-efficiency": args.min_efficiency,
    }
    limits = budgets.make_budget(given, source="The budget on the command line")
    if args.budget is None:
        return limits
    path: Path = args.budget
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BudgetError(
            f"The budget {path} cannot be read: {error}.", hint="Give a TOML file, as budget.toml."
        ) from None
    return limits.over(budgets.read_budget(text, source=str(path)))
