"""What the commands do, without a terminal. No Typer and no Rich here."""
