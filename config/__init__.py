"""What a venue, a rule book and a meet are: typed TOML and its loader. Imports nothing of ours."""
