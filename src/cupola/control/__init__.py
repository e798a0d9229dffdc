"""The management API: routes over the domains' services, under `/management/v1`."""
