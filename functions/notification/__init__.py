"""Send messages about alerts, decisions and releases.

A person can act on each message; each is sent once.
"""
