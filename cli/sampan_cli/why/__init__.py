"""What holds an object up: its causes, as data and in words.

    gather      asks the server for what a diagnosis looks at (the only part with I/O)
    diagnosis   picks the module for the kind; every module below is a pure function objects -> findings
    pods        scheduling, containers (exits, images, configuration), readiness, termination
    workloads   ReplicaSets, Deployments, Jobs … : creations that failed, and the causes of their pods, grouped
    selecting   Services and disruption budgets: whom they select
    nodes, namespaces
    printing    findings as text or JSON

A finding names its cause by a code that does not change, so that programs can act on it; the text is for people.
"""
