"""Test doubles at the agent's real seams; they ship with it, so that others can try the agent without a runtime."""
