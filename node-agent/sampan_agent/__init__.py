"""The second plank: turns the pods bound to this node into CRI calls and reports what became of them."""
