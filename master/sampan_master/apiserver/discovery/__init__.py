"""What the API says about itself, derived from the resource table and the models: groups, versions and resources
(`groups.py`), and the schemas of all kinds (`openapi/`). `handlers` answer with it.
"""
