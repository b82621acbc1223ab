"""The embedded builder held against BuildKit, case by case."""
