"""Both images, built as `make image` builds them and run as containers. `make test-images` runs these tests.

The base is made of Debian packages in place of one from a registry, and what pip needs is downloaded beforehand, as one
does for a place without internet.
"""
