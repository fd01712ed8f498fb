"""Production: what `sh setup.sh` does once the virtual environment is there. Only the standard library."""
