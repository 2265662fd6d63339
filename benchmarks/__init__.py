"""How fast the laboratory is, beside peers and limits measured in the same run. `README.md` says how to run it and what it means."""
