"""What takes several parts of the tool together. No Typer and no Rich here."""
