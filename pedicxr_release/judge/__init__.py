"""Evidence → findings. Every function here is pure: it opens no file and changes nothing that it is given."""
