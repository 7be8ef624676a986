"""The schedules of the field, each a value that turns into a flow."""
