"""One module an exercise: its starter's files, and the rules its check measures."""
