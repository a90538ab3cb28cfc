"""Trying a stack with a made-up model: its rows, and its removal afterwards."""
