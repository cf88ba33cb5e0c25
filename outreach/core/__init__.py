"""Settings, clock, ids, errors, database, engine, events and access: what every room stands on."""
