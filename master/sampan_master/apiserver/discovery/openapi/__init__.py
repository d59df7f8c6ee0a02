"""OpenAPI: what kubectl validates, explains and merges by.

schemas.py     a model -> its schema, in the dialect of version 2 or 3
documents.py   the documents: one for version 2, one per group and version for version 3
gnostic.py     version 2 as protobuf, which old kubectl needs
"""
