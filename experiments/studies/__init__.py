"""Studies as files: a question, axes that are swept, and a folder of results from which a killed run continues."""
