"""The commands that look into an image: ledger, compare, explore."""

from __future__ import annotations

from argparse import Namespace

from dockerlab.analysis import changes
from dockerlab.analysis.history import image_of, name_of
from dockerlab.analysis.ledger import Ledger, blame, headline
from dockerlab.analysis.ledger import ledger as account
from dockerlab.analysis.wasted_bytes import KINDS
from dockerlab.cli import inspect_shapes as shapes
from dockerlab.cli.answer import Answer, Shape
from dockerlab.cli.subjects import find
from dockerlab.errors import ContextError, ImageError
from dockerlab.image.filesystem import Tree
from dockerlab.printable import printable
from dockerlab.units import count, human_bytes, human_share
from dockerlab.widgets.table import Table

_MOST_FLOWS = 20


def ledger(args: Namespace) -> Answer:
    """Say what became of every byte of an image, layer by layer, and by which line."""
    found = find(args.image, args)
    book = account(found.with_lines(), engine=found.engine)
    return Answer(
        lambda: book.to_dict(claims=args.files),
        lambda: _ledger_text(book, files=args.files),
        paged=not args.no_pager,
    )


def _ledger_text(book: Ledger, *, files: bool) -> str:
    sums = ("content", *(kind for kind in KINDS if kind != "twice" or book.all.twice), "overhead", "tar")
    table = Table(
        headline(book) + ".",
        ("where", "instruction", *sums),
        tuple(
            (
                row.row.where,
                row.row.text,
                *(human_bytes(getattr(row, name)) for name in sums),
            )
            for row in book.rows
        ),
        right=sums,
        code=("instruction",),
        note=f"Live is {human_share(book.all.live, book.total)} of {human_bytes(book.total)} unpacked.",
    )
    lines = [table.text(width=130)]
    flows = book.flows()
    lines += [
        f"{blame(flow)} ({count(flow.files, 'file')}, largest /{printable(flow.largest)})"
        for flow in flows[:_MOST_FLOWS]
    ]
    if files:
        wasted = sorted((claim for claim in book.claims if claim.wasted_by), key=lambda claim: -claim.bytes)
        lines += [
            f"{human_bytes(claim.bytes):>8}  {claim.kind:11}  /{printable(claim.path)}" for claim in wasted
        ]
    return "\n".join(lines)


def compare(args: Namespace) -> Answer:
    """Say what parts two images: sizes, layers they share, files."""
    one, other = find(args.image, args), find(args.other, args)
    before, after = image_of(one.what), image_of(other.what)
    books = tuple(account(side.what, engine=side.engine) for side in (one, other))
    files = changes.between(before.tree(), after.tree())
    shape = shapes.compare_shape((one, other), books, files, most=args.most)
    return Answer(lambda: shape, lambda: _compare_text(shape, files, most=args.most), paged=not args.no_pager)


def _compare_text(shape: Shape, files: changes.Changes, *, most: int) -> str:
    a, b = shape["a"], shape["b"]
    rows = [("layers", str(a["layers"]), str(b["layers"]), f"{b['layers'] - a['layers']:+}")]
    for key, what in (("content", "unpacked"), ("tar", "tar"), ("wasted", "wasted")):
        rows.append((what, human_bytes(a[key]), human_bytes(b[key]), _signed(b[key] - a[key])))
    table = Table(
        f"{a['name']} and {b['name']}: {count(shape['shared']['layers'], 'layer')} shared, "
        f"{human_bytes(shape['shared']['tar'])} of tar",
        ("", a["name"], b["name"], "difference"),
        tuple(rows),
        right=(a["name"], b["name"], "difference"),
    )
    lines = [table.text(), ""]
    for kind, sums in files.sums.items():
        lines.append(f"{kind}: {count(sums.paths, 'path')}, {human_bytes(sums.bytes)}")
    lines += [_item_line(item) for item in shapes.top(files, most)]
    return "\n".join(lines)


def explore(args: Namespace) -> Answer:
    """List what is in an image, or what one of its layers changed, as a tree with bytes."""
    found = find(args.image, args)
    image = image_of(found.what)
    if args.layer is not None and not 1 <= args.layer <= len(image.layers):
        raise ImageError(
            f"There is no layer {args.layer}.",
            hint=f"{name_of(found.what)} has {count(len(image.layers), 'layer')}; 1 is the lowest.",
        )
    tree = changes.of_layer(image.layers, args.layer) if args.layer else changes.between(Tree(), image.tree())
    folder = args.path.strip("/")
    if folder and tree.get(folder) is None:
        where = f"layer {args.layer} changes nothing there" if args.layer else "there is no such path"
        raise ContextError(
            f"Nothing to list in /{folder}: {where}.", hint="Leave --path out to see the root."
        )
    if args.find:
        items = [(0, item) for item in tree.find(args.find, by=args.sort)]
    else:
        items = list(shapes.walk(tree, folder, depth=args.depth, by=args.sort))
    what = f"layer {args.layer} of {name_of(found.what)}" if args.layer else name_of(found.what)

    def text() -> str:
        kinds = [
            f"{sums.paths:,} {kind} ({human_bytes(sums.bytes)})"
            for kind, sums in tree.sums.items()
            if sums.paths
        ]
        head = f"{what}: {', '.join(kinds) if args.layer else _content(tree)}"
        how = {"whole": bool(args.find), "sign": bool(args.layer)}
        return "\n".join([head, *(_item_line(item, depth=depth, **how) for depth, item in items)])

    return Answer(
        lambda: shapes.explore_shape(found, args.layer, folder, tree, items), text, paged=not args.no_pager
    )


def _content(tree: changes.Changes) -> str:
    sums = tree.sums["added"]
    return f"{count(sums.paths, 'path')}, {human_bytes(sums.bytes)} to be seen by a container"


def _item_line(item: changes.Item, *, depth: int = 0, whole: bool = True, sign: bool = True) -> str:
    mark = {"added": "+", "changed": "~", "removed": "-", None: " "}[item.change] if sign else " "
    name = f"/{printable(item.path)}" if whole else f"{'  ' * depth}{printable(item.name)}"
    slash = "/" if item.is_dir else ""
    gone = f"{human_bytes(-item.removed):>9}" if item.removed else " " * 9
    sizes = f"{human_bytes(item.stored):>8}{f' {gone}' if sign else ''}"
    paths = f"  ({item.paths:,} paths)" if item.is_dir and item.paths > 1 else ""
    note = f"  {printable(item.note)}" if item.note else ""
    return f"{sizes}  {mark} {name}{slash}{paths}{note}"


def _signed(size: int) -> str:
    return f"{'+' if size > 0 else ''}{human_bytes(size)}"
