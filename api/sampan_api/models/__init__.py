"""The kinds of the API, one module per group (the core group: one per subject), imported when first asked for.

`sampan_api.schema.model_for` finds a class by apiVersion and kind. To add a field: one attribute here, and the
recorded field tables in `tests/api/data` say whether it is right. To add a kind: its class, and a line in `scheme.py`.
"""
