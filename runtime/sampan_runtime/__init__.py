"""The CRI runtime: sandboxes and containers from namespaces, cgroups and a forked, warm interpreter."""
