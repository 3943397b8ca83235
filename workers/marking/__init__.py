"""What an output says of how it was made, and who signs that."""
