"""The pod's link to the node: netlink messages of our own, because a pod's start waits for them."""
