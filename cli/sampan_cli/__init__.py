"""The `sampan` command: a kubectl-style client, and the verbs that start and stop a cluster."""
