"""The use cases of CrossKey: each module holds one, as functions over ports; handlers call nothing else."""
