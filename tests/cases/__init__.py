"""Small inputs as shops have them, ingested, with what is right beside what came out."""
