"""Spawn patterns: one prompt becomes several children, each an agent."""
