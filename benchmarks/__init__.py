"""The speed of the laboratory, against peers and limits in the same run. See `README.md`."""
