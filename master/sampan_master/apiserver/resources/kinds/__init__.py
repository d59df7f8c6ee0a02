"""One file per kind, with a `RESOURCE = ResourceType(...)`; what belongs to one kind only lies beside it (`pod_cells`,
`api_access`, `service_addresses`, ...).
"""
