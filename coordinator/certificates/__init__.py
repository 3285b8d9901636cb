"""The certificate by which agents and viewers know the coordinator.

Its own one by default: the coordinator makes an authority and signs with it, keeps both in a Secret, and publishes the
authority's certificate in a ConfigMap that agents mount. Or one of a folder, which somebody else renews.
"""
