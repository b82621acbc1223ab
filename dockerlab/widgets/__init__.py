"""What a lesson shows that is more than a chart: tables, build progress, prediction cards.

Nothing here needs ipywidgets to be installed, a CDN, or a saved widget state: every object also has an HTML
and a plain text form.
"""
