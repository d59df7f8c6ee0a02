"""Deletes pod two at once and says its name."""

from kubernetes import client, config

config.load_kube_config("kc.yaml")
print(client.CoreV1Api().delete_namespaced_pod("two", "ct", grace_period_seconds=0).metadata.name)
