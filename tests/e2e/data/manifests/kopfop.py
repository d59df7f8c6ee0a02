"""An operator on ConfigMaps with the label kopf=yes: it says in their data that it has seen them."""

import kopf


@kopf.on.create("configmaps", labels={"kopf": "yes"})
def seen(patch, **_):
    patch.setdefault("data", {})["seen"] = "1"
