"""Where objects live: the `Store` protocol with its etcd and in-memory implementations, and the watch cache."""
