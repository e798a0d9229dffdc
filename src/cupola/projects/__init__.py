"""Projects, who belongs to them, and who may do what: begin with `model`."""
