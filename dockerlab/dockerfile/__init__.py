"""Dockerfile text and what it means; both engines and the advice read it here."""
