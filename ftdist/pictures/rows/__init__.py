"""Pictures read and written from the top down, by rows: neither is ever whole in memory."""
