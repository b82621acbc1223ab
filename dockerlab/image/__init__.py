"""An image in every form it is stored, read and written."""
