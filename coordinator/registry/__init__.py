"""Which tags a registry has for a driver image: asked in the background, so that no pass over the policies waits."""
