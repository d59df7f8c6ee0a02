"""The object model every plank shares.

What belongs here: typed objects and their schema, quantities, selectors, patches, the error tree, the
clock, the `Client` protocol and the informer. What does not: I/O of any plank, policy, storage.
"""
