"""The playground's controls: editors, Build and Cancel, the progress with its log, charts of the attempts."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import Any

from dockerlab.charts import Picture, compare, layer_stack
from dockerlab.errors import DockerlabError
from dockerlab.printable import LINES, escape
from dockerlab.widgets.controls import SUBMIT, box, labelled, row, spoken, view
from dockerlab.widgets.markup import fitted, lines_of
from dockerlab.widgets.playground_model import DOCKERFILE, Attempt, PlaygroundModel
from dockerlab.widgets.prediction import buttons_wanted
from dockerlab.widgets.progress import REPAINT_SECONDS

_MOST_CARDS = 3  # older ones went away when their cell ran again


class Playground(PlaygroundModel):
    """A Dockerfile with its files to play with, with controls where there is a front end."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_()
        if buttons_wanted():
            bundle["application/vnd.jupyter.widget-view+json"] = view(_Card(self).widget)
        return bundle


class _Card:
    def __init__(self, playground: PlaygroundModel) -> None:
        import ipywidgets

        self.playground = playground
        wide = ipywidgets.Layout(width="auto")
        self.dockerfile = ipywidgets.Textarea(playground.files[DOCKERFILE], rows=12, layout=wide)
        self.choice = ipywidgets.Dropdown(layout=wide)
        self.text = ipywidgets.Textarea(rows=7, layout=wide)
        self.new = ipywidgets.Text(layout=wide)
        self.add = _button("Add", "Add a file of that name to the build context")
        self.remove = _button("Remove", "Remove the chosen file from the build context")
        self.build = _button("Build", "Build the Dockerfile with these files (Ctrl+Enter in an editor)")
        self.build.button_style = "primary"
        self.cancel = _button("Cancel", "End the running build; what was built before stays cached")
        self.reset = _button("Reset", "Put the Dockerfile and the files back as they were given")
        self.said = spoken()
        self.said.add_class("dockerlab-unseen")  # the progress shows it
        self.error = ipywidgets.HTML(layout=wide)
        self.progress = ipywidgets.HTML(layout=wide)
        self.log = ipywidgets.HTML(layout=wide)
        self.chart = ipywidgets.Output(layout=wide)
        self.history = ipywidgets.HTML(layout=wide)
        narrow = ipywidgets.Layout(width="9em")
        self.one = ipywidgets.Dropdown(layout=narrow)
        self.other = ipywidgets.Dropdown(layout=narrow)
        self.compare = _button("Compare", "Show the two attempts side by side")
        self.compared = ipywidgets.HTML(layout=wide)
        self.compared_chart = ipywidgets.Output(layout=wide)
        self.pair = row(labelled("Compare", self.one), labelled("with", self.other), self.compare)
        half = ipywidgets.Layout(flex="1 1 24em", min_width="0", overflow="visible")
        self.widget = box(
            row(
                ipywidgets.VBox([labelled(DOCKERFILE, self.dockerfile)], layout=half),
                ipywidgets.VBox(
                    [
                        labelled("Files of the build context", self.choice),
                        labelled("Content of the chosen file", self.text),
                        labelled("Path of a new file", self.new),
                        row(self.add, self.remove),
                    ],
                    layout=half,
                ),
            ),
            row(self.build, self.cancel, self.reset),
            self.said,
            self.error,
            self.progress,
            self.log,
            self.chart,
            self.history,
            self.pair,
            self.compared,
            self.compared_chart,
        )
        self._filling = False
        self._painted: Attempt | None = None
        self._lock = threading.RLock()  # a build that ends at once tells so while its start is being shown
        self._fill()
        self._listen()
        self.refresh()
        playground.bench.listeners = [*playground.bench.listeners[1 - _MOST_CARDS :], self.refresh]

    def _listen(self) -> None:
        self.dockerfile.observe(self._edited, "value")
        self.text.observe(self._edited, "value")
        self.choice.observe(self._chose, "value")
        self.add.on_click(self._added)
        self.remove.on_click(self._removed)
        self.reset.on_click(self._put_back)
        self.build.on_click(lambda _: self.playground.start())
        self.cancel.on_click(self._cancelled)
        self.compare.on_click(self._compared)

    def _fill(self, chosen: str | None = None) -> None:
        """Show the files as the playground has them."""
        files = self.playground.files
        paths = [path for path in files if path != DOCKERFILE]
        self._filling = True
        try:
            self.dockerfile.value = files[DOCKERFILE]
            self.choice.options = paths
            self.choice.value = chosen if chosen in paths else paths[0] if paths else None
            self.text.value = files[self.choice.value] if paths else ""
            self.text.disabled = self.remove.disabled = not paths
        finally:
            self._filling = False

    def _edited(self, change: Any) -> None:
        if self._filling:
            return
        editor = change["owner"]
        if editor.value.endswith(SUBMIT):
            editor.value = editor.value.removesuffix(SUBMIT)  # which is an edit of its own
            if not self.build.disabled:
                self.playground.start()
            return
        self.playground.files[DOCKERFILE] = self.dockerfile.value
        if self.choice.value is not None:
            self.playground.files[self.choice.value] = self.text.value

    def _chose(self, _: object) -> None:
        if not self._filling:
            self._fill(self.choice.value)

    def _added(self, _: object) -> None:
        path = self.new.value.strip().strip("/")
        if path and path != DOCKERFILE:
            self.playground.files.setdefault(path, "")
            self.new.value = ""
            self._fill(path)
            self.text.focus()

    def _removed(self, _: object) -> None:
        self.playground.files.pop(self.choice.value, None)
        self._fill()

    def _put_back(self, _: object) -> None:
        self.playground.reset()
        self._fill()

    def _cancelled(self, _: object) -> None:
        self.cancel.disabled = True
        self.playground.cancel()

    def refresh(self) -> None:
        """Show what the playground does now; called when a build starts and when it ends."""
        with self._lock:
            self._refresh()

    def _refresh(self) -> None:
        playground = self.playground
        running = playground.running
        self.build.disabled = running
        self.cancel.disabled = not running
        if running:
            self.error.value = ""
            painter = threading.Thread(
                target=copy_context().run, args=(self._follow,), name="playground painter", daemon=True
            )
            painter.start()
            return
        self._paint()
        error = playground.bench.error
        self.error.value = f'<pre role="alert">{escape(error, keep=LINES)}</pre>' if error else ""
        latest = playground.attempts[-1] if playground.attempts else None
        if latest is not None and latest is not self._painted:
            self._painted = latest
            _draw(self.chart, layer_stack(latest.build) if latest.build is not None else None)
        self._list()

    def _follow(self) -> None:
        over, version = threading.Event(), -1
        while (job := self.playground.bench.job) is not None:
            if job.progress.version != version:
                version = job.progress.version
                self._paint()
            over.wait(REPAINT_SECONDS)

    def _paint(self) -> None:
        with self._lock:  # or a picture made before the end would be shown after it
            progress = self.playground.bench.progress
            if progress is not None:
                self.said.value = escape(progress.said() or "Building.")
                self.progress.value = progress.html()
                self.log.value = progress.log_html()

    def _list(self) -> None:
        attempts = self.playground.attempts
        self.history.value = self.playground.history().html() if attempts else ""
        numbers = [attempt.number for attempt in attempts]
        shown = "" if len(numbers) > 1 else "none"
        self.pair.layout.display = shown
        if len(numbers) > 1:
            for control, value in ((self.one, numbers[-2]), (self.other, numbers[-1])):
                control.options = [(f"attempt {number}", number) for number in numbers]
                control.value = value

    def _compared(self, _: object) -> None:
        one, other = self.one.value, self.other.value
        table, difference = self.playground.compared(one, other)
        files = lines_of(difference) if difference else "<p>The same files.</p>"
        self.compared.value = table.html() + fitted(files)
        builds = [self.playground.attempts[number - 1].build for number in (one, other)]
        first, second = builds
        picture = None
        if first is not None and second is not None and one != other:
            try:
                picture = compare(first, second)
            except DockerlabError as error:  # an image that was pruned since
                self.compared.value += f"<p>{escape(str(error))}</p>"
        _draw(self.compared_chart, picture)


def _draw(output: Any, picture: Picture | None) -> None:
    """Show a picture in an Output, which unlike `with output:` may be done from any thread."""
    if picture is None:
        output.outputs = ()
        return
    data = picture._repr_mimebundle_()
    output.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)


def _button(label: str, tooltip: str) -> Any:
    import ipywidgets

    return ipywidgets.Button(description=label, tooltip=tooltip, layout=ipywidgets.Layout(width="auto"))
