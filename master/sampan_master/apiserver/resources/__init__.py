"""The resources that are served, each declared once; all else is derived from that.

resource_type.py         `ResourceType`: everything the server knows of one kind
kinds/                   one file per kind: names, defaults, validation, update rules, printer columns, selectors
table.py                 all of them
columns.py, ages.py      columns of tables, and what several kinds show in them
templates.py             what the kinds with a pod template have in common
unused_fields.py         fields that are stored but not acted upon yet
problems.py              the errors that concern a resource
generated_names.py       `generateName`
memo.py                  what a pure function has said of equal values
"""
