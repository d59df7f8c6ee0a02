"""Storage: objects below `/registry/`, in etcd or in memory, and the watch cache that all reads come from.

    storage.py   Storage: create, update, delete of objects; `.cache`
    keys.py      where objects lie: object_key, resource_prefix
    cache.py     Cache: get, list, list_at, watch, fresh     table.py    one resource inside it
    watcher.py   Watcher: one reader's queue of changes
    past.py      PastWatcher: one that begins before the cache's history
    entry.py     Entry: one object at one revision, decoded and encoded once
    sharing.py   equal parts of objects once in memory
    change.py    Change: one watch event, shared by all watchers
    store.py     Store: the protocol of etcd that is used, and its errors
    etcd.py      EtcdStore          memory.py  MemoryStore

Nothing here knows a resource: what an object means is the API server's business.
"""

from sampan_master.storage.cache import Cache, Listing
from sampan_master.storage.change import Change
from sampan_master.storage.entry import Entry
from sampan_master.storage.keys import object_key, resource_prefix
from sampan_master.storage.past import PastWatcher
from sampan_master.storage.storage import Storage
from sampan_master.storage.store import (
    Compacted,
    FutureRevision,
    KeyExists,
    KeyMissing,
    Store,
    StoreError,
    StoreUnavailable,
    Unwritten,
    ValueTooLarge,
    WrittenMeanwhile,
)
from sampan_master.storage.watcher import Watcher

__all__ = [
    "Cache",
    "Change",
    "Compacted",
    "Entry",
    "FutureRevision",
    "KeyExists",
    "KeyMissing",
    "Listing",
    "PastWatcher",
    "Storage",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Unwritten",
    "ValueTooLarge",
    "Watcher",
    "WrittenMeanwhile",
    "object_key",
    "resource_prefix",
]
