"""What organisations' agents have learned: screened, kept in git, published by support or by a person, taken back with its source."""
