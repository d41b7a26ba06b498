"""What is true: the pure science of fork-join reasoning."""
