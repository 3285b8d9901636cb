"""The API server's client: configuration and authentication from `kubernetes.aio`, requests and decoding of our own."""
