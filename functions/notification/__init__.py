"""Alerts, decisions and releases in; messages that a person can act on out, each sent once."""
