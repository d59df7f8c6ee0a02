"""The scheduler and the controllers as processes of their own, for any Kubernetes API server that a kubeconfig names.

settings     the flags both have, most of them with the names of kube-scheduler's
process      client, election, the part that works while it leads, until SIGTERM
serving      /healthz, /livez, /readyz, /metrics
scheduler    `sampan-scheduler`
controllers  `sampan-controllers`
"""
