"""What a new version changes: two candidates or packages compared, for the release notes."""
