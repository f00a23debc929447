"""Where tasks are carried out: in processes of this machine, or on a cluster."""
