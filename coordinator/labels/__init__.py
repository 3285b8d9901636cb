"""Node labels: which a Node shall carry, and who writes them."""
