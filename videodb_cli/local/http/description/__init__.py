"""What the embedded service answers, as an OpenAPI 3.1 document. Imported only when somebody asks for it."""
