"""Makes a new installation: OpenFGA's store and model, the services' keys, the secretariat with its root key.

`founding` makes it, `installation` is what was made; a start from the second time on loads only that.
"""
