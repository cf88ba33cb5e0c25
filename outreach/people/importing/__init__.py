"""Reading client and holdings files: encodings, headers, fields, rows. Nothing here touches the database."""
