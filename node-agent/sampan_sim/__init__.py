"""Nodes that are not there: one process that speaks for thousands of nodes, whose pods "run" by stages.

    pods of our nodes ──► life (pure: stage, moments) ──► heap of timers ──► status, merged ──► a few writers ──► API
    nodes, Leases     ──► staggered heartbeats ──────────────────────────────────────────────────────────────┘

To the API all of it is as kubelets do it: Node objects with addresses, conditions and heartbeats, Leases, pod statuses,
graceful deletion. Nothing runs, so there is nothing to exec into and no log.

* One informer follows the pods of all nodes; a pod costs a record and at most one timer, no task of its own.
* What a pod will do follows from the seed, the pod's name and the number of the restart, and from nothing else; where
  it stands is read from its status. So the process may be killed at any moment: the next one goes on from there.
* `config` says what nodes there are and how pods behave; `sampan_sim.simulator` puts the parts together.
"""
