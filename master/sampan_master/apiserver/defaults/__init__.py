"""What is filled in when a request leaves it out. The functions change the freshly decoded object in place."""
