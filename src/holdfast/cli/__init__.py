"""Floor 5: what people type. One file a command group; everything heavy is imported inside the commands."""
