"""The package: the exact folder that is published. It trusts no byte that was not hashed while it was written."""
