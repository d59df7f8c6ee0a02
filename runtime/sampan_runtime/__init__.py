"""The third plank: a CRI v1 server that runs pods with the kernel's namespaces, cgroups and overlayfs."""
