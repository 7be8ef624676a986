"""Many runs that differ in one thing, compared."""
