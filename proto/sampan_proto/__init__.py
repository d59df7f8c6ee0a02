"""The seam between master and node agent: node.proto and the stubs generated from it by scripts/proto."""
