"""What the widgets with controls share: their look, and the form in which a notebook shows them."""

from __future__ import annotations

from typing import Any

from dockerlab.widgets.markup import EDGE

# Variables of JupyterLab's theme, so that light and dark both fit; the outline is what the keyboard moves.
_STYLE = """<style>
.dockerlab-box { max-width: 100%; overflow: visible; }
.dockerlab-box :is(button, select, input, textarea, pre, summary, [tabindex]):focus-visible {
  outline: 2px solid var(--jp-brand-color1, #0072b2) !important; outline-offset: 1px; }
.dockerlab-box textarea, .dockerlab-list select {
  font-family: var(--jp-code-font-family, monospace); font-size: 12px; line-height: 1.5; }
.dockerlab-box .widget-html-content { line-height: 1.45; white-space: normal; }
.dockerlab-box pre { margin: 4px 0 0; padding: 6px 8px; white-space: pre-wrap; overflow-wrap: anywhere;
  border: 1px solid EDGE; font-size: 12px; line-height: 1.4; tab-size: 4;
  color: var(--jp-content-font-color1, inherit); background: transparent; }
.dockerlab-box table { font-size: 12px; border-collapse: collapse; margin-top: 4px; }
.dockerlab-box td, .dockerlab-box th { padding: 2px 8px; }
.dockerlab-labelled { flex-direction: column; align-items: stretch; height: auto; }
.widget-inline-hbox.dockerlab-labelled > .widget-label { width: auto; max-width: none; text-align: left;
  white-space: normal; height: auto; line-height: 1.4; }
.dockerlab-labelled > :is(select, input, textarea) { flex: 0 0 auto; width: 100%; margin: 0; }
.dockerlab-labelled > :is(select:not([size]), input) { height: 28px; }
.dockerlab-unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.dockerlab-list select option { white-space: pre; }
:is(.dockerlab-box, .dockerlab-card) :is(select, input, textarea) { border: 1px solid EDGE !important; }
:is(.dockerlab-box, .dockerlab-card) button { white-space: normal; height: auto; min-height: 28px;
  line-height: 1.3; padding: 4px 10px; overflow-wrap: anywhere; }
:is(.dockerlab-box, .dockerlab-card) .jupyter-widgets-disconnected::before,
:is(.dockerlab-box, .dockerlab-card).jupyter-widgets-disconnected::before { content: none !important; }
:is(.dockerlab-box, .dockerlab-card).jupyter-widgets-disconnected::after {
  content: "This is how it was left. Run the cell again to use it."; font-style: italic; }
</style>""".replace("EDGE", EDGE)

# Ctrl+Enter in a text field puts this behind the text for a moment. So what was typed last and the wish to
# use it reach the kernel together: a button pressed by a script would overtake the text.
SUBMIT = "\x03"

# JupyterLab takes arrows and letters for itself while a list has the focus (not while a text field has), so
# lists are kept out of that. Enter and the arrows of a tree then press the button that does the same; where
# this script is not run, Tab and the button remain.
_KEYS = """
const attach = tries => {
  const box = element.closest('.dockerlab-box');
  if (!box || box.dataset.keys) {
    if (!box && tries) requestAnimationFrame(() => attach(tries - 1));
    return;
  }
  box.dataset.keys = 'on';
  box.querySelectorAll('select').forEach(one => one.setAttribute('data-lm-suppress-shortcuts', 'true'));
  box.querySelectorAll('.dockerlab-spoken').forEach(one => one.setAttribute('aria-live', 'polite'));
  box.addEventListener('focusin', event => {
    if (event.target.matches('select')) event.target.setAttribute('data-lm-suppress-shortcuts', 'true');
  });
  box.addEventListener('keydown', event => {
    const press = name => {
      box.querySelector('button.dockerlab-' + name)?.click();
      event.preventDefault();
      event.stopPropagation();
    };
    const {key, target} = event;
    if (target.matches('.dockerlab-list select')) {
      const text = target.selectedOptions[0]?.textContent ?? '';
      if (key === 'Enter') press('open');
      else if (key === 'ArrowRight') text.includes('\u25b8') ? press('open') : event.preventDefault();
      else if (key === 'ArrowLeft') text.includes('\u25be') ? press('open') : event.preventDefault();
    } else if (key === 'Enter' && (event.ctrlKey || event.metaKey) && target.matches('textarea')) {
      const {value, selectionStart, selectionEnd} = target;
      target.value = value + 'SUBMIT';
      target.dispatchEvent(new Event('input', {bubbles: true}));
      target.value = value;
      target.setSelectionRange(selectionStart, selectionEnd);
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
};
attach(600);
""".replace("SUBMIT", SUBMIT.encode("unicode_escape").decode())


def style_sheet() -> Any:
    """Return the style sheet as a widget that is not seen; a box has it."""
    import ipywidgets

    return ipywidgets.HTML(_STYLE, layout=ipywidgets.Layout(display="none"))


def box(*children: Any) -> Any:
    """Return a column of widgets with the style sheet and the keys they share."""
    import ipywidgets

    script = {"output_type": "display_data", "data": {"application/javascript": _KEYS}, "metadata": {}}
    keys = ipywidgets.Output(outputs=(script,), layout=ipywidgets.Layout(height="0", overflow="hidden"))
    column = ipywidgets.VBox([*children, style_sheet(), keys], layout=ipywidgets.Layout(width="100%"))
    column.add_class("dockerlab-box")
    return column


def row(*children: Any) -> Any:
    """Return widgets side by side, which go below each other where it is narrow."""
    import ipywidgets

    flow = ipywidgets.Layout(
        flex_flow="row wrap", align_items="flex-start", width="100%", grid_gap="4px 12px"
    )
    return ipywidgets.HBox(children, layout=flow)


def labelled(label: str, control: Any, *, flex: str = "0 0 auto") -> Any:
    """Return a control below its label; `flex` is for one that stands in a row."""
    import ipywidgets

    control.description = label
    control.add_class("dockerlab-labelled")
    return ipywidgets.VBox([control], layout=ipywidgets.Layout(flex=flex))


def spoken() -> Any:
    """Return a line whose changes a screen reader says: the keys' script makes it a live region."""
    import ipywidgets

    line = ipywidgets.HTML(layout=ipywidgets.Layout(width="auto"))
    line.add_class("dockerlab-spoken")
    return line


def view(widget: Any) -> dict[str, Any]:
    """Return the mime data of a widget's view."""
    return {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
