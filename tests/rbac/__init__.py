"""Which rights an account has, which of them it used, and what the documentation says of them."""
