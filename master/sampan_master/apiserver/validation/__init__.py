"""What may be stored. Each function yields `FieldError`s; none raises, so that one answer names every mistake.

Words and reasons are Kubernetes' own (apimachinery `field.Error`), since clients rebuild their messages from them.
"""
