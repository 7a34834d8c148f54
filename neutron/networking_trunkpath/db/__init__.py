"""Our own tables in Neutron's database."""
