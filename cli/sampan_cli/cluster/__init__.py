"""A whole cluster on one machine: what `sampan up`, `down` and `status` do.

A node is a network namespace with an address on the cluster's bridge, a data directory, a cgroup subtree, an agent and
a runtime. Everything that is made is first written to the cluster's record (`record.py`), so that `down` can take it
away after a crash at any point. Modules, from pure to impure: `settings` (what was asked), `plan` (names, addresses,
processes), `record` and `identity` (what is on disk, what is alive), `netns`, `network`, `firewall`, `cgroups`,
`machine` (what is made on the machine), `supervisor`, `child` and `guardian` (who keeps the processes alive),
`bringup` and `takedown` (the two verbs).
"""
