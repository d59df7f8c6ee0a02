"""`sampan sim`: simulated nodes beside the real ones. What its file may say is in `manifests/sim.yaml`."""

MODULE = "sampan_sim"
