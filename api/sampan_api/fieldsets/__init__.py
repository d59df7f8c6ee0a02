"""Who owns which field of an object: sets of fields, and what writers do to them.

The rules are those of sigs.k8s.io/structured-merge-diff. A set of fields is held in the very form in which
`metadata.managedFields` shows it (FieldsV1), so that reading and writing it costs nothing:

    {"f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}}}}}

A field is a member when its node is empty, or has "." among its children. `shapes` says from the field tables which
lists have items with an identity and what counts as one value; `sets` is the algebra; `comparing` finds what changed
between two objects; `merging` lays a configuration over an object and takes fields out of it; `checking` says what is
wrong with a configuration; `managers` keeps the entries; `updating` and `applying` are the two ways to write.
"""
