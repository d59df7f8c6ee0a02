"""The first plank: API server, store, scheduler, controllers and the link to the nodes, in one process."""
